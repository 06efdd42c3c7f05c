// Attention with a kernel that was compiled when the program was built: where it runs there is a
// driver, and neither NVRTC nor a compiler.
#include <sagejit/device_buffer.h>
#include <sagejit/sagejit.h>

#include <cstdio>

int main() try {
    const sagejit::Device device = sagejit::Device::cuda(0);
    sagejit::PrepareOptions options;
    options.policy = sagejit::PreparePolicy::kBundleOnly;  // what is not built in is an error
    const sagejit::Spec spec =
        sagejit::parse_spec(R"({"head_dim": 64, "causal": "bottom_right"})");  // attention.json
    const sagejit::Kernel kernel = sagejit::prepare(spec, device, options);

    constexpr int64_t kHeads = 4, kTokens = 100, kHeadDim = 64;
    constexpr size_t kBytes = kHeads * kTokens * kHeadDim * 2;
    sagejit::DeviceBuffer q(device, kBytes), k(device, kBytes), v(device, kBytes),
        o(device, kBytes);
    for (sagejit::DeviceBuffer* input : {&q, &k, &v}) input->fill(0x3c);  // fp16: 0x3c3c is 1.0586

    const auto tensor = [](sagejit::DeviceBuffer& buffer) {
        return sagejit::TensorRef::contiguous(buffer.data(), sagejit::DataType::kFp16,
                                              {1, kHeads, kTokens, kHeadDim});
    };
    sagejit::Arguments call;
    call.q = tensor(q);
    call.k = tensor(k);
    call.v = tensor(v);
    call.o = tensor(o);
    call.logit_scale = sagejit::default_logit_scale(kHeadDim);
    const size_t bytes = kernel.workspace_size(sagejit::shape_of(call));
    const sagejit::DeviceBuffer workspace(device, bytes);
    kernel.launch(call, workspace.data(), bytes, /*stream=*/nullptr);

    uint16_t last = 0;  // waits for the stream
    o.download(&last, sizeof last, kBytes - sizeof last);
    std::printf("%s for %s, on %s: the last output is 0x%04x\n", kernel.report().bundle.c_str(),
                kernel.plan().target.name.data(), device.name().c_str(), last);
    return 0;
} catch (const sagejit::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
