// Which specs ask for the same kernel.
#include "spec_key.h"

#include <catch2/catch.hpp>
#include <functional>
#include <vector>

using namespace sagejit;

TEST_CASE("specs ask for the same unless a member other than the name differs", "[registry]") {
    Spec base;
    base.head_dim = base.head_dim_v = 64;
    const std::vector<std::function<void(Spec&)>> changes = {
        [](Spec&) {},
        [](Spec& s) { s.head_dim = 128; },
        [](Spec& s) { s.head_dim_v = 128; },
        [](Spec& s) { s.dtype = DataType::kBf16; },
        [](Spec& s) { s.output_dtype = DataType::kBf16; },
        [](Spec& s) { s.causal = CausalMode::kTopLeft; },
        [](Spec& s) { s.granularity = Granularity::kTensor; },
        [](Spec& s) { s.smooth_k = false; },
        [](Spec& s) { s.pv_type = PvType::kFp8; },
        [](Spec& s) { s.pv_accum = PvAccum::kFp16; },
        [](Spec& s) { s.smooth_v = true; },
        [](Spec& s) { s.lse = true; },
        [](Spec& s) { s.tile_q = 64; },
        [](Spec& s) { s.tile_q = 128; },
        [](Spec& s) { s.tile_q = -1; },
        [](Spec& s) { s.tile_k = 64; },
        [](Spec& s) { s.warp_q = 64; },
        [](Spec& s) { s.stages = 64; },
        [](Spec& s) { s.cluster_q = 64; },
        [](Spec& s) { s.target = ""; },
        [](Spec& s) { s.target = "sm_90"; },
        [](Spec& s) { s.target = "sm_90a"; },
    };
    for (size_t i = 0; i < changes.size(); ++i) {
        for (size_t j = 0; j < changes.size(); ++j) {
            INFO(i << " and " << j);
            Spec a = base, b = base;
            changes[i](a);
            changes[j](b);
            b.name = "another";
            CHECK(ask_for_the_same(a, b) == (i == j));
            CHECK((hash_of(numbers_of(a), a.target) == hash_of(numbers_of(b), b.target)) ==
                  (i == j));
        }
    }
}
