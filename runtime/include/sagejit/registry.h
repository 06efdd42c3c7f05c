// The kernels this process has prepared, by spec and device.
//
//   sagejit::prepare(spec, device);                                        // once, may take
//   seconds sagejit::launch(spec, device, arguments, workspace, bytes, stream);    // from then on
//
// prepare keeps a reference to each kernel it makes for a spec, so that another prepare of the
// same spec (its name included) on the same GPU with the same options and the same bundles returns
// that kernel at once, and launch finds it.
// What it has made is kept until it is forgotten.
#pragma once

#include <cstddef>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sagejit/sagejit.h"

namespace sagejit {

// Launches the kernel that was prepared last for this spec (names aside) on this device, as
// Kernel::launch does: takes no lock and no memory, asks the driver for nothing but the launches.
// Throws Error(kNotPrepared) where there is none, which touches nothing: a capture under way on
// the stream stays valid. Throws as Kernel::launch does.
void launch(const Spec& spec, const Device& device, const Arguments& arguments, void* workspace,
            size_t workspace_bytes, void* stream = nullptr);

// The kernel that launch would use.
std::optional<Kernel> find_prepared(const Spec& spec, const Device& device);

// Drops the process's reference to one kernel, or to all. Waits for the launches by spec under way
// on other threads to return (not for the GPU). True, or how many, where there was one.
bool forget_prepared(const Spec& spec, const Device& device);
size_t forget_prepared();

// Prepares on another thread. The future gives the kernel or throws what prepare throws; dropping
// it changes nothing. options.stop and options.deadline apply. The process does not exit under a
// compilation: it stops those that NVRTC can stop, and waits for the others.
std::shared_future<Kernel> prepare_async(const Spec& spec, const Device& device,
                                         const PrepareOptions& options = {});

// What became of one line of a manifest, or of one of the shapes it names.
struct WarmupResult {
    std::string config;  // its name, or its place in the manifest: "kernels/2"
    std::string device;  // "cuda:0"
    std::optional<Shape> shape{};
    std::string problem;     // empty where the kernel is prepared
    PrepareReport report{};  // of a prepared kernel
};

// Prepares everything a manifest lists, up to `threads` at a time (0: as many as there are
// processors), and returns what became of each, in the manifest's order. A manifest is JSON:
//   {"schema_version": 1, "kernels": [{"config": {...}, "device": "cuda:0", "shapes": [
//       {"batch": 4, "heads_q": 32, "heads_kv": 8, "len_q": 4096, "len_k": 4096}, ...]}, ...]}
// where config is one as configs/*.json holds. device may be left out for Device::best(). shapes
// too; with it, the plan that is the best known for each of them (sagejit tune) is prepared, one
// result each: sagejit::attention finds these by the sizes of its calls, and launch takes the first
// shape's. Throws Error(kInvalidInput) for a text that is no manifest and Error(kInvalidConfig) for
// a config that breaks a rule, before anything is prepared. Other failures are told in the results.
std::vector<WarmupResult> warmup(std::string_view manifest, const PrepareOptions& options = {},
                                 int threads = 0);

// The manifest of all kernels that are prepared now, for warmup in the next process.
std::string prepared_manifest();

}  // namespace sagejit
