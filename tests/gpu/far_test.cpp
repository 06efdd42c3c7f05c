// Tensors and workspaces too large for 32 bits, on a GPU.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <vector>

#include "cases.h"
#include "far_tensors.h"
#include "gpu_or_skip.h"
#include "sagejit/device_buffer.h"
#include "tensor/half.h"

using namespace sagejit;
using namespace sagejit::test;

TEST_CASE("rows may lie further apart than 32 bits count, on a GPU") {
    const Device gpu = gpu_or_skip();
    if (gpu.target().name != "sm_90") skip("no Hopper GPU");
    for (const Case& c : far_cases()) {
        for (const Far far : {Far::kHeads, Far::kTokens}) {
            INFO(describe(c) << (far == Far::kHeads ? ", heads" : ", tokens"));
            CHECK(far_difference(c, gpu, far) == "");
        }
    }
}

namespace {

// The same head over and over, so many times that their keys fill more than 2^31 bytes in int8.
// Returns how many heads' outputs differ from the first one's; all, where that is not what the head
// has by itself.
int unlike_heads(const Case& one, const Device& gpu) {
    const Kernel& kernel = kernel_for(one, gpu);
    const AttentionInput input = draw(one);
    const size_t keys = input.k.bits().size_bytes(), queries = input.q.bits().size_bytes();
    const int heads = static_cast<int>((size_t{1} << 32) / keys) + 2;
    Shape shape = one.shape;
    shape.heads_q = shape.heads_kv = heads;
    const auto repeat = [&](const HostTensor& tensor) {
        const size_t bytes = tensor.bits().size_bytes();
        DeviceBuffer first(gpu, bytes), all(gpu, bytes * heads);
        first.upload(tensor.bits().data(), bytes);
        for (int h = 0; h < heads; ++h) all.copy_from(first, bytes, 0, h * bytes);
        return all;
    };
    const DeviceBuffer q = repeat(input.q), k = repeat(input.k), v = repeat(input.v);
    DeviceBuffer o(gpu, queries * heads), workspace(gpu, kernel.workspace_size(shape));
    if (workspace.bytes() <= size_t{1} << 31) return heads;
    const auto ref = [&](void* data, int64_t len) {
        return TensorRef::contiguous(data, one.spec.dtype, {1, heads, len, one.spec.head_dim});
    };
    Arguments arguments;
    arguments.q = ref(q.data(), shape.len_q);
    arguments.k = ref(k.data(), shape.len_k);
    arguments.v = ref(v.data(), shape.len_k);
    arguments.o = ref(o.data(), shape.len_q);
    arguments.logit_scale = default_logit_scale(one.spec.head_dim);
    kernel.launch(arguments, workspace.data(), workspace.bytes());
    std::vector<uint16_t> outputs(queries / 2 * heads);
    o.download(outputs.data(), o.bytes());
    const Outcome alone = run_case(kernel, one, input);
    int unlike = 0;
    for (int h = 0; h < heads; ++h) {
        const auto head = outputs.begin() + h * static_cast<std::ptrdiff_t>(queries / 2);
        unlike +=
            !std::equal(head, head + static_cast<std::ptrdiff_t>(queries / 2), outputs.begin());
    }
    outputs.resize(queries / 2);
    if (widen_to_double(outputs, one.spec.output_dtype) != alone.o) return heads;
    return unlike;
}

}  // namespace

TEST_CASE("workspaces may be larger than 32 bits count, on a GPU") {
    const Device gpu = gpu_or_skip();
    if (gpu.target().name != "sm_90") skip("no Hopper GPU");
    for (const PvType pv : {PvType::kFp16, PvType::kFp8}) {
        Case one;
        one.spec = make_spec(128, Granularity::kThread, CausalMode::kNone);
        one.spec.target = "sm_90a";
        one.spec.pv_type = pv;
        if (pv == PvType::kFp8) {
            one.spec.pv_accum = PvAccum::kFp32PromoteFp32;
            one.spec.smooth_v = true;
        }
        one.shape = {1, 1, 1, 64, 200064};
        INFO(describe(one));
        CHECK(unlike_heads(one, gpu) == 0);
    }
}
