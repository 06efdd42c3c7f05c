// Says which kernels the program has, and prepares them without NVRTC.
#include <sagejit/sagejit.h>

#include <cstdio>

namespace {

void list(const char* kind, const sagejit::Bundle& bundle) {
    for (const sagejit::BundleKernel& kernel : bundle.kernels()) {
        std::printf("%s %s: %s %s\n", kind, bundle.origin().c_str(), kernel.name.c_str(),
                    kernel.target.c_str());
    }
}

void prepare(const char* config, const sagejit::PrepareOptions& options) {
    const sagejit::Spec spec = sagejit::parse_spec(config);
    const sagejit::Kernel kernel = sagejit::prepare(spec, sagejit::Device::cuda(0), options);
    std::printf("prepared for %s from %s\n", kernel.plan().target.name.data(),
                kernel.report().bundle.c_str());
}

}  // namespace

int main(int argc, char**) try {
    for (const sagejit::Bundle& bundle : sagejit::linked_bundles()) list("linked", bundle);
    sagejit::PrepareOptions options;
    options.policy = sagejit::PreparePolicy::kBundleOnly;
    options.bundles = {sagejit::Bundle::open_beside_program("beside.sjb")};
    list("beside", options.bundles[0]);
    if (argc > 1) return 0;  // only list
    prepare(R"({"head_dim": 64})", options);
    prepare(R"({"head_dim": 64, "lse": true})", options);
    return 0;
} catch (const sagejit::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
