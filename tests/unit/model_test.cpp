// The analytic model: what must hold of any prediction, and known comparisons.
#include "tune/model.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "bench/work.h"
#include "configs.h"
#include "sagejit/generator/error.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

Plan plan_of(int head_dim, const char* target) {
    Spec spec;
    spec.head_dim = spec.head_dim_v = head_dim;
    return make_plan(spec, find_target(target));
}

// With a tile that the mask does not change.
Plan masked_plan_of(int head_dim, CausalMode causal) {
    Spec spec;
    spec.head_dim = spec.head_dim_v = head_dim;
    spec.causal = causal;
    spec.tile_q = 128;
    spec.tile_k = 64;
    spec.warp_q = 16;
    return make_plan(spec, find_target("sm_80"));
}

}  // namespace

TEST_CASE("predictions are finite, bounded below by each unit, and grow with the work") {
    const Shape shape{1, 16, 16, 4096, 4096}, longer{1, 16, 16, 8192, 8192};
    for (const std::string& name : shipped_config_names()) {
        for (const Target& target : all_targets()) {
            std::vector<Plan> plans;
            try {
                plans = candidates(shipped_config(name), target);
            } catch (const Error&) {
                continue;
            }
            const GpuRates rates = rates_for(target);
            for (const Plan& plan : plans) {
                INFO(name << " " << target.name << " " << plan.tile_q << "x" << plan.tile_k);
                const Prediction p = predict(plan, shape, rates);
                REQUIRE(std::isfinite(p.whole_call_ms));
                CHECK(p.whole_call_ms > p.attention_ms);
                for (const double bound : {p.tensor_ms, p.exponential_ms, p.vector_ms, p.shared_ms,
                                           p.cache_ms, p.memory_ms}) {
                    CHECK(bound > 0);
                    CHECK(bound <= p.attention_ms * (1 + 1e-9));
                }
                CHECK(p.occupancy > 0);
                CHECK(p.occupancy <= 1);
                CHECK(p.idle_share >= 0);
                CHECK(p.idle_share < 1);
                const double ratio = predict(plan, longer, rates).attention_ms / p.attention_ms;
                CHECK(ratio > 3);
                CHECK(ratio < 4.5);
            }
        }
    }
}

TEST_CASE("the tensor bound is the work at the tensor rate") {
    const Plan plan = plan_of(128, "sm_80");
    const Shape shape{1, 8, 8, 4096, 4096};
    const GpuRates rates = rates_for(plan.target);
    const double half = attention_flops(shape, plan.spec) / 2;
    const double clocks = half / 2 / rates.int8 + half / 2 / rates.half_fp32;
    const double expected = clocks / rates.multiprocessors / rates.clock_ghz * 1e-6;
    CHECK(predict(plan, shape, rates).tensor_ms == Approx(expected).epsilon(1e-6));
}

TEST_CASE("a causal mask halves long calls, and tiles it skips cost nothing") {
    const Shape shape{4, 16, 16, 16384, 16384};
    const GpuRates rates = rates_for(find_target("sm_80"));
    const double full = predict(masked_plan_of(128, CausalMode::kNone), shape, rates).attention_ms;
    const double masked =
        predict(masked_plan_of(128, CausalMode::kTopLeft), shape, rates).attention_ms;
    CHECK(masked / full == Approx(0.5).margin(0.05));
    const Shape blind{1, 4, 4, 1024, 128};
    const Prediction corner = predict(masked_plan_of(64, CausalMode::kBottomRight), blind, rates);
    CHECK(corner.tensor_ms <
          predict(masked_plan_of(64, CausalMode::kNone), blind, rates).tensor_ms / 4);
}

TEST_CASE("twice the multiprocessors take half as long on large calls") {
    const Plan plan = plan_of(128, "sm_90");
    const Shape shape{8, 32, 32, 8192, 8192};
    const double one = predict(plan, shape, rates_for(plan.target, 66)).attention_ms;
    const double two = predict(plan, shape, rates_for(plan.target, 132)).attention_ms;
    CHECK(one / two == Approx(2).epsilon(0.02));
}

TEST_CASE("calls too small for the GPU wait, and say so") {
    const Plan plan = plan_of(64, "sm_90");
    const Prediction small = predict(plan, {1, 1, 1, 64, 64}, rates_for(plan.target));
    CHECK(small.limit == Bound::kLatency);
    CHECK(small.waves < 1);
    CHECK(small.idle_share > 0.9);
    CHECK(predict(plan, {1, 1, 1, 0, 64}, rates_for(plan.target)).whole_call_ms == 0);
    CHECK_THROWS_AS(predict(plan, {1, 3, 2, 64, 64}, rates_for(plan.target)), Error);
}
