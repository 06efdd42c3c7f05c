#include "sagejit/generator/default_spec.h"

#include <catch2/catch.hpp>

#include "error_of.h"
#include "sagejit/generator/error.h"
#include "sagejit/generator/plan.h"

using namespace sagejit;

TEST_CASE("every request of every quality has a plan on every target", "[default_spec]") {
    for (const Target& target : all_targets()) {
        for (const Quality quality : {Quality::kAccurate, Quality::kBalanced, Quality::kFast}) {
            for (const int head_dim : {32, 64, 72, 128, 256}) {
                for (const DataType dtype : {DataType::kFp16, DataType::kBf16}) {
                    SpecRequest request;
                    request.head_dim = head_dim;
                    request.head_dim_v = head_dim / 2 < 32 ? 32 : head_dim / 2 / 8 * 8;
                    request.dtype = request.output_dtype = dtype;
                    request.causal = CausalMode::kTopLeft;
                    request.lse = true;
                    request.quality = quality;
                    INFO(target.name << " " << to_string(quality) << " " << head_dim);
                    const Plan plan = make_plan(default_spec(request, target), target);
                    CHECK(plan.spec.head_dim == request.head_dim);
                    CHECK(plan.spec.head_dim_v == request.head_dim_v);
                    CHECK(plan.spec.dtype == dtype);
                    CHECK(plan.spec.output_dtype == dtype);
                    CHECK(plan.spec.causal == CausalMode::kTopLeft);
                    CHECK(plan.spec.lse);
                    CHECK(plan.spec.smooth_k);
                }
            }
        }
    }
}

TEST_CASE("fast kernels use what the target's tensor cores do fast", "[default_spec]") {
    SpecRequest request;
    request.head_dim = request.head_dim_v = 128;
    request.quality = Quality::kFast;
    for (const char* name : {"sm_86", "sm_89", "sm_120"}) {
        const Spec spec = default_spec(request, find_target(name));
        CHECK(spec.pv_type == PvType::kFp16);
        CHECK(spec.pv_accum == PvAccum::kFp32PromoteFp16);
    }
    for (const char* name : {"sm_80", "sm_87", "sm_90", "sm_100"}) {
        CHECK(default_spec(request, find_target(name)).pv_type == PvType::kInt8);
    }
    for (const Quality quality : {Quality::kAccurate, Quality::kBalanced, Quality::kFast}) {
        request.quality = quality;
        for (const DataType dtype : {DataType::kFp16, DataType::kBf16}) {
            request.dtype = dtype;
            const Spec spec = default_spec(request, find_target("sm_90a"));
            CHECK(spec.pv_type == (dtype == DataType::kBf16 ? PvType::kBf16 : PvType::kFp16));
            CHECK(spec.pv_accum == PvAccum::kFp32);
            CHECK(spec.granularity == Granularity::kThread);
        }
    }
    request.dtype = DataType::kFp16;
    request.quality = Quality::kAccurate;
    CHECK(default_spec(request, find_target("sm_89")).granularity == Granularity::kToken);
    CHECK(default_spec(request, find_target("sm_89")).pv_accum == PvAccum::kFp32);
}

TEST_CASE("a request that no kernel serves is an error", "[default_spec]") {
    SpecRequest request;
    request.head_dim = request.head_dim_v = 20;
    const Error error = error_of([&] { default_spec(request, find_target("sm_80")); });
    CHECK(error.code() == ErrorCode::kInvalidConfig);
    CHECK_THAT(error.where(), Catch::Contains("/head_dim"));
}
