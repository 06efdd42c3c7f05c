// One call for the impatient: attention on tensors, with nothing prepared.
//
//   sagejit::attention(q, k, v, out, {.causal = sagejit::CausalMode::kBottomRight}, stream);
//
// The first call for a head_dim, data type, mask and device plans, compiles (or finds in the cache)
// and loads a kernel: up to seconds. The process keeps it, and later calls are launches. Where
// there are tuning records (sagejit tune), or a linked bundle has kernels tuned for several sizes,
// they decide the tiles, for each bucket of sizes (batch * heads and lengths, to the nearest powers
// of two) by itself: the first call in a bucket looks them up, which takes milliseconds, and may
// compile where they recommend a plan that no bucket before had. Without records one kernel serves
// all sizes. To pay beforehand, or to capture the call in a CUDA graph, call prepare_attention
// first. For a config of one's own, a workspace of one's own and the least overhead, use prepare
// and Kernel::launch (sagejit.h).
#pragma once

#include <optional>

#include "sagejit/generator/default_spec.h"
#include "sagejit/sagejit.h"

namespace sagejit {

struct AttentionOptions {
    CausalMode causal = CausalMode::kNone;
    std::optional<float> logit_scale;  // 1/sqrt(head_dim) where not given
    float* lse = nullptr;              // [batch, heads_q, len_q] contiguous fp32, written if given
    Quality quality = Quality::kBalanced;
    // Where to run. Not given: where the tensors are, which must be one device: the GPU that holds
    // them, or the host device for memory of the CPU (which runs kernels slowly). Needed for
    // tensors that a GPU reads from elsewhere: pinned memory, another GPU's.
    std::optional<Device> device;
};

// Computes out = softmax(logit_scale * q k^T + causal mask) v:
//   q    [batch, heads_q, len_q, head_dim]     fp16 or bf16
//   k    [batch, heads_kv, len_k, head_dim]    as q
//   v    [batch, heads_kv, len_k, head_dim_v]  as q
//   out  [batch, heads_q, len_q, head_dim_v]   fp16 or bf16, written
// Strides and alignment as TensorRef says. All of it is enqueued on `stream` (see Kernel::launch),
// the allocation of workspace (cuMemAllocAsync from the device's current pool, released behind the
// last kernel) included: nothing is synchronised. A pool gives memory back to the system at every
// synchronisation unless CU_MEMPOOL_ATTR_RELEASE_THRESHOLD is raised.
// While the stream is being captured the workspace becomes part of the graph. A kernel that is
// prepared for other sizes is used then, and where none is that is Error(kNotPrepared), which
// leaves the capture valid. Throws Error(kInvalidArgument) for tensors that do not go together, as
// prepare and Kernel::launch do, and Error(kLaunchFailed) when there is no memory for the
// workspace.
void attention(const TensorRef& q, const TensorRef& k, const TensorRef& v, const TensorRef& out,
               const AttentionOptions& options = {}, void* stream = nullptr);

// Prepares the kernel that attention would use for these arguments, sizes included, and returns it.
// Pointers are looked at only to find the device. Must not be called while any stream is being
// captured in global mode. Throws as attention does.
Kernel prepare_attention(const TensorRef& q, const TensorRef& k, const TensorRef& v,
                         const TensorRef& out, const AttentionOptions& options = {});

}  // namespace sagejit
