// Tensors and workspaces too large for 32 bits, on a GPU.
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

// A tensor of one head, so many times.
DeviceBuffer repeat(const HostTensor& tensor, int heads, const Device& gpu) {
    const size_t bytes = tensor.bits().size_bytes();
    DeviceBuffer one(gpu, bytes), all(gpu, bytes * static_cast<size_t>(heads));
    one.upload(tensor.bits().data(), bytes);
    for (int h = 0; h < heads; ++h) all.copy_from(one, bytes, 0, static_cast<size_t>(h) * bytes);
    return all;
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
        // 85 heads of the same keys: 2.2e9 bytes of them in int8.
        constexpr int kHeads = 85;
        const Kernel& kernel = kernel_for(one, gpu);
        const AttentionInput input = draw(one);
        const DeviceBuffer q = repeat(input.q, kHeads, gpu), k = repeat(input.k, kHeads, gpu),
                           v = repeat(input.v, kHeads, gpu);
        Shape shape = one.shape;
        shape.heads_q = shape.heads_kv = kHeads;
        const DeviceBuffer o(gpu, q.bytes()), workspace(gpu, kernel.workspace_size(shape));
        REQUIRE(workspace.bytes() > size_t{1} << 31);
        const auto ref = [&](const DeviceBuffer& buffer, int64_t len) {
            return TensorRef::contiguous(buffer.data(), one.spec.dtype,
                                         {1, kHeads, len, one.spec.head_dim});
        };
        Arguments arguments;
        arguments.q = ref(q, shape.len_q);
        arguments.k = ref(k, shape.len_k);
        arguments.v = ref(v, shape.len_k);
        arguments.o = ref(o, shape.len_q);
        arguments.logit_scale = default_logit_scale(one.spec.head_dim);
        kernel.launch(arguments, workspace.data(), workspace.bytes());

        const Outcome alone = run_case(kernel, one, input);
        std::vector<uint16_t> head(input.q.bits().size());
        for (int h = 0; h < kHeads; ++h) {
            o.download(head.data(), head.size() * 2, static_cast<size_t>(h) * head.size() * 2);
            CHECK((widen_to_double(head, one.spec.output_dtype) == alone.o));
        }
    }
}
