// Bundles made on the spot, opened from memory or linked for the length of a test.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "bundle/describe.h"
#include "bundle/write.h"
#include "compile_cubin.h"
#include "sagejit/bundle.h"
#include "sagejit/generator/source.h"
#include "sagejit/linked_bundle.h"
#include "sagejit/sagejit.h"
#include "unit/scoped_variable.h"

namespace sagejit::test {

inline BuiltKernel build(const Spec& spec, const std::string& target) {
    const Plan plan = make_plan(spec, find_target(target));
    const Source source = emit(plan);
    CompiledCubin cubin = compile_cubin(source.text, target, spec.name);
    return {describe_kernel(spec.name, spec, plan, source, cubin.entries, {}), cubin.bytes};
}

inline std::vector<uint8_t> bundle_bytes(
    const Spec& spec, const std::vector<std::string>& targets,
    const std::string& generator = std::string(generator_id())) {
    std::vector<BuiltKernel> kernels;
    for (const std::string& target : targets) kernels.push_back(build(spec, target));
    return encode_bundle(generator, "13.0.88", kernels);
}

inline Bundle open_bytes(const std::vector<uint8_t>& bytes, const std::string& origin = "test") {
    return Bundle::from_memory(std::as_bytes(std::span(bytes)), origin);
}

inline PrepareOptions bundle_only(const std::vector<Bundle>& bundles) {
    PrepareOptions options;
    options.bundles = bundles;
    options.policy = PreparePolicy::kBundleOnly;
    return options;
}

// Nothing of NVRTC can be found.
class WithoutNvrtc {
    ScopedVariable nvrtc_{"SAGEJIT_NVRTC", "/nonexistent/libnvrtc.so.13"};
};

// A bundle that is linked in for the length of a test.
class Linked {
  public:
    Linked(const std::vector<uint8_t>& bytes, const char* name)
        : node_{bytes.data(), bytes.size(), name, nullptr} {
        sagejit_link_bundle(&node_);
    }
    ~Linked() { sagejit_unlink_bundle(&node_); }
    Linked(const Linked&) = delete;
    Linked& operator=(const Linked&) = delete;

  private:
    sagejit_linked_bundle node_;
};

}  // namespace sagejit::test
