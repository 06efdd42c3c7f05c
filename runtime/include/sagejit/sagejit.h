// sagejit: quantized attention, compiled at run time.
//
//   sagejit::Spec spec = sagejit::parse_spec(config_json);
//   sagejit::Kernel kernel = sagejit::prepare(spec, sagejit::Device::best());  // may take seconds
//   void* workspace = yours(kernel.workspace_size(shape));                     // 256-aligned
//   kernel.launch(arguments, workspace, bytes, stream);                        // never blocks
//
// prepare may compile, load and allocate; launch never does. launch runs on the caller's stream,
// does not synchronise, does not change the current device and can be captured in a CUDA graph.
// A Kernel may be used from many threads at once. All failures throw sagejit::Error.
#pragma once

#ifndef __cplusplus
#error "this is the C++ API; C programs include <sagejit.h>"
#endif

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "sagejit/bundle.h"
#include "sagejit/generator/error.h"
#include "sagejit/generator/plan.h"
#include "sagejit/generator/spec.h"
#include "sagejit/generator/workspace.h"
#include "sagejit/tuning.h"

namespace sagejit {

// Where kernels run: one GPU, or the host device, which executes the same source on the CPU.
class Device {
  public:
    static Device host();
    // GPU number `ordinal` as the driver counts them (CUDA_VISIBLE_DEVICES applies).
    // Throws Error(kNoDriver) or Error(kNoDevice).
    static Device cuda(int ordinal);
    // cuda:0 where there is a usable GPU, else host. Never throws for a missing driver.
    static Device best();
    // "host" or "cuda:N". Throws Error(kInvalidArgument) for another text.
    static Device parse(const std::string& text);

    bool is_host() const { return ordinal_ < 0; }
    int ordinal() const { return ordinal_; }  // -1 for host
    std::string text() const;                 // "host", "cuda:0"
    std::string name() const;                 // e.g. "NVIDIA H200"; the CPU's for host
    // The target kernels are planned for on this device. The host device takes the spec's target
    // or the default one, so it has none of its own and this throws Error(kInvalidArgument).
    const Target& target() const;
    // The target a spec that names none gets here: that of kernels made for this very GPU where
    // they can do what the spec asks (sm_90a on Hopper), else target(). Throws as target() does,
    // and Error(kInvalidConfig) for an invalid spec.
    const Target& target_for(const Spec& spec) const;

  private:
    explicit Device(int ordinal) : ordinal_(ordinal) {}
    int ordinal_;
};

// A tensor the caller holds, in the memory of the kernel's device. shape and strides count
// elements, in the order batch, heads, len, dim. strides[3] must be 1 and strides[2] below 2^31;
// the first three are otherwise free ([B,S,H,D] layouts, slices of a fused QKV, 0 to repeat),
// but none is negative, and no two elements of o may share memory. Strides of dimensions of size
// 1 do not matter. Rows are fastest when data is 16-byte aligned and strides are multiples of 8.
// data must be aligned to the element, 2 bytes; it may be null where the tensor is empty.
struct TensorRef {
    void* data = nullptr;
    DataType dtype = DataType::kFp16;
    std::array<int64_t, 4> shape{};
    std::array<int64_t, 4> strides{};

    // A contiguous tensor.
    static TensorRef contiguous(void* data, DataType dtype, std::array<int64_t, 4> shape);
};

// One attention call: o = softmax(logit_scale * q k^T + causal mask) v. o and lse must not overlap
// q, k, v or each other.
struct Arguments {
    TensorRef q;           // [batch, heads_q, len_q, head_dim]
    TensorRef k;           // [batch, heads_kv, len_k, head_dim]
    TensorRef v;           // [batch, heads_kv, len_k, head_dim_v]
    TensorRef o;           // [batch, heads_q, len_q, head_dim_v], written
    float* lse = nullptr;  // [batch, heads_q, len_q] contiguous, natural log; required iff spec.lse
    float logit_scale = 0;  // usually 1/sqrt(head_dim): default_logit_scale
};

// 1/sqrt(head_dim).
float default_logit_scale(int head_dim);

// Where prepare may take a GPU's kernel from. Bundles come first, then the cache, then NVRTC.
enum class PreparePolicy {
    kJit,         // from all of them
    kCacheOnly,   // not from NVRTC, which is not opened: whichever version made what is there
    kBundleOnly,  // from bundles; neither the cache nor NVRTC is touched
};
// "jit", "cache_only", "bundle_only".
std::string_view to_string(PreparePolicy policy);

struct PrepareOptions {
    // Searched in this order, after the bundles that are linked into the program.
    std::vector<Bundle> bundles;
    PreparePolicy policy = PreparePolicy::kJit;
    // Where compiled kernels are kept; empty: $SAGEJIT_CACHE_DIR, else $XDG_CACHE_HOME/sagejit,
    // else ~/.cache/sagejit.
    std::filesystem::path cache_directory;
    bool use_cache = true;
    // Sizes the kernel is mostly for. Tuning records (sagejit tune) for them, or for the nearest
    // ones, decide its tiles; without sizes, those for the most work. It runs on any sizes.
    std::optional<Shape> shape;
    bool use_tuning = true;
    // Code in which ptxas spilled registers or serialised wgmma is right and slow. A plan of the
    // caller's choice, by tiles in the spec or as a Plan, is refused then with
    // Error(kUnsupportedTarget), unless this is set. A record's gives way to the default plan, and
    // the default plan is taken with a warning, as is a kernel of a bundle, which was built so on
    // purpose.
    bool allow_slow_code = false;
    // Host device only: seed of the randomised schedule, 0 for the plain order.
    uint64_t host_seed = 0;
    // When to give up, with Error(kCancelled): at this time, or when the token's source asks for
    // it. What others still wait for goes on without this caller; what nobody waits for is stopped,
    // at once where NVRTC can (13.0 and newer).
    std::optional<std::chrono::steady_clock::time_point> deadline;
    std::stop_token stop;
};

// What preparing a kernel did.
struct PrepareReport {
    std::string bundle;                       // the origin of the bundle it was in; empty: in none
    TuningMatch tuning = TuningMatch::kNone;  // what chose the plan
    std::string slow_code;                    // spills or serialised wgmma, in words; empty: none
    bool from_cache = false;
    double compile_ms = 0;  // NVRTC, or the host compiler
    double load_ms = 0;     // from cache or compiler to a launchable kernel
};

// A compiled plan, loaded on one device. Copies share it; keep one until the work it enqueued, and
// every graph that captured it, is done.
class Kernel {
  public:
    const Plan& plan() const;
    const Device& device() const;
    const PrepareReport& report() const;

    // Bytes of workspace a call of this shape needs; 0 when there is nothing to compute.
    size_t workspace_size(const Shape& shape) const;

    // Checks the arguments, then enqueues every launch of the call on `stream` (a CUstream of the
    // device's primary context, which is the one the CUDA runtime uses; null is its legacy default
    // stream; ignored by the host device, which returns when done).
    // workspace: device memory, 256-byte aligned, at least workspace_size bytes, in use until the
    // call completes; its contents need no initialisation. q, k, v are never modified.
    // Throws Error(kInvalidArgument) before anything is launched, Error(kLaunchFailed) after;
    // Error(kNotPrepared) for a moved-from Kernel; Error(kNoDriver) in a process forked after CUDA
    // was initialised.
    void launch(const Arguments& arguments, void* workspace, size_t workspace_bytes,
                void* stream = nullptr) const;

    struct State;  // internal
    explicit Kernel(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  private:
    friend class KernelPhases;  // sagejit/phases.h
    void launch_attention(const Arguments& arguments, void* workspace, size_t workspace_bytes,
                          void* stream) const;

    std::shared_ptr<const State> state_;
};

// The sizes of a call, taken from its tensors. Throws Error(kInvalidArgument) where they disagree.
Shape shape_of(const Arguments& arguments);

// Plans, finds the kernel in a bundle or the cache or compiles it, and loads. spec.target is
// honoured: on a GPU that cannot run it this throws Error(kUnsupportedTarget). Code for a target
// runs on GPUs of the same major compute capability and the same or a higher minor one. Throws as
// make_plan does; Error(kNoDriver), Error(kNoNvrtc), Error(kNoHostCompiler) with the places
// searched; Error(kCompileFailed) with the compiler's log; Error(kNotBuilt), with what the bundles
// hold, where options.policy forbids compiling. Error(kInvalidArgument) for the host device with
// another policy than kJit: bundles hold code for GPUs. A cache that cannot be used is a warning on
// standard error, never an error. The kernel is kept for the process, so that preparing it again is
// free and it can be launched by its spec: see sagejit/registry.h.
Kernel prepare(const Spec& spec, const Device& device, const PrepareOptions& options = {});

// The same for a plan of one's own choice, one of candidates(). Its target must run on the device.
Kernel prepare(const Plan& plan, const Device& device, const PrepareOptions& options = {});

}  // namespace sagejit
