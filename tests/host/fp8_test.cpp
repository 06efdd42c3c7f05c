// Values in e4m3, by the wgmma family on the host device. Its sums are those of fp32; a GPU's
// shorter ones are seen on GPUs only.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "cases.h"
#include "tensor/half.h"

using namespace sagejit;
using namespace sagejit::test;

TEST_CASE("every kind of fp8 spec is right on ragged shapes") {
#ifdef SAGEJIT_SANITIZE
    // Sanitizers are slow: one layout, and one head a key head.
    const std::vector<Layout> layouts = {Layout::kOdd};
    constexpr Shape kShape = {1, 1, 1, 201, 389};
#else
    const std::vector<Layout> layouts = {Layout::kTokenMajor, Layout::kOdd};
    constexpr Shape kShape = {1, 4, 2, 201, 389};
#endif
    for (const Spec& spec : fp8_specs()) {
        for (const Layout layout : layouts) {
            Case c;
            c.spec = spec;
            c.shape = kShape;
            c.layout = layout;
            c.host_seed = 7;
            CHECK(check_case(c, Device::host()) == "");
        }
    }
}

TEST_CASE("random fp8 cases agree with all oracles") {
#ifdef SAGEJIT_SANITIZE
    constexpr uint64_t kCases = 20;
#else
    constexpr uint64_t kCases = 100;
#endif
    const std::vector<Spec> specs = fp8_specs();
    uint64_t failures = 0;
    for (uint64_t index = 0; index < kCases; ++index) {
        const std::string failure = check_case(random_case(specs, index), Device::host());
        CHECK(failure == "");
        if (!failure.empty() && ++failures == 20) FAIL("stopping after 20 failures");
    }
}

namespace {

Case fp8_case(int dim, CausalMode causal = CausalMode::kNone) {
    Case c;
    c.spec = make_spec(dim, Granularity::kThread, causal);
    c.spec.target = "sm_90a";
    c.spec.pv_type = PvType::kFp8;
    c.spec.pv_accum = PvAccum::kFp32PromoteFp32;
    c.spec.smooth_v = c.spec.lse = true;
    c.host_seed = 3;
    return c;
}

}  // namespace

TEST_CASE("fp8 shapes with nothing to see, and with all of it in one tile") {
    for (const Shape& shape :
         {Shape{1, 2, 2, 0, 5}, Shape{1, 2, 2, 5, 0}, Shape{0, 2, 2, 5, 5}, Shape{1, 2, 1, 300, 1},
          Shape{2, 1, 1, 1, 300}, Shape{1, 2, 2, 400, 40}, Shape{1, 1, 1, 64, 96},
          Shape{1, 1, 1, 64, 97}}) {
        for (const CausalMode causal : {CausalMode::kNone, CausalMode::kBottomRight}) {
            Case c = fp8_case(causal == CausalMode::kNone ? 64 : 128, causal);
            c.shape = shape;
            CHECK(check_case(c, Device::host()) == "");
        }
    }
}

TEST_CASE("the mean of many values comes from several samples") {
    // One, three, three and five of them (kShortValueKeys, kValueSampleKeys).
    for (const int64_t keys : {2047, 2048, 16383, 16384}) {
        Case c = fp8_case(64);
        c.shape = {1, 1, 1, 3, keys};
        CHECK(check_case(c, Device::host()) == "");
    }
}

TEST_CASE("sums in fp8 are promoted, and moved with their rows' references") {
    // Promoted every 512 keys. Keys grow, so that references move after promotions too: a little,
    // and by so much that nothing is left of them. Masters are fp32, of wide outputs bf16.
    for (const auto& [growth, head_dim_v] :
         {std::pair{0.0025, 32}, {0.5, 32}, {0.0025, 136}, {0.5, 136}}) {
        INFO(growth << " head_dim_v " << head_dim_v);
        Case c = fp8_case(32);
        c.spec.smooth_v = false;
        c.spec.head_dim_v = head_dim_v;
        c.shape = {1, 1, 1, 150, 1700};
        AttentionInput input = draw(c);
        for (int64_t key = 0; key < 1700; ++key) {
            for (int64_t i = 0; i < 32; ++i) {
                uint16_t& bits = input.k.bits()[key * 32 + i];
                const double grown =
                    fp16_to_float(bits) * (1.0 + static_cast<double>(key) * growth);
                bits = fp16_from_double(grown);
            }
        }
        const Outcome outcome = run_case(kernel_for(c, Device::host()), c, input);
        CHECK(outcome.plan.promote_tiles * outcome.plan.tile_k == 512);
        CHECK(outcome.plan.master_number_bytes == (head_dim_v > 128 ? 2 : 4));
        CHECK(disagreements(c, outcome) == std::vector<std::string>{});
    }
}

TEST_CASE("fp8 sums of any number of key tiles are promoted often enough") {
    // Promoted every four tiles, whose warpgroups take turns; the last one may end with them.
    for (const int head_dim_v : {32, 136}) {
        Case c = fp8_case(32);
        c.spec.smooth_v = false;
        c.spec.head_dim_v = head_dim_v;
        c.spec.tile_q = head_dim_v > 128 ? 128 : 192;
        c.spec.tile_k = 128;
        for (const int64_t tiles : {4, 5, 6, 7, 8, 9, 13, 16, 17, 18, 20, 21, 24}) {
            c.shape = {1, 1, 1, 192, 128 * tiles};
            CHECK(check_case(c, Device::host()) == "");
        }
    }
}

TEST_CASE("values of bf16 too large to be summed have no mean taken off") {
    // Squares pass the range of fp32, then sums of a sample's 64 values as well.
    for (const double size : {1e25, 1e37}) {
        Case c = fp8_case(64);
        c.spec.dtype = c.spec.output_dtype = DataType::kBf16;
        c.shape = {1, 1, 1, 70, 300};
        AttentionInput input = draw(c);
        for (int64_t i = 0; i < 300 * 64; ++i) {
            uint16_t& bits = input.v.bits()[i];
            bits = bf16_from_double((bf16_to_float(bits) + (i % 64 < 32 ? 5.0 : 0.0)) * size);
        }
        const Outcome outcome = run_case(kernel_for(c, Device::host()), c, input);
        INFO(size);
        CHECK(disagreements(c, outcome) == std::vector<std::string>{});
    }
}

TEST_CASE("values that the sample of V does not foretell are settled") {
    enum class Surprise { kLarge, kZeroSample, kAllZero, kLargest, kTiny };
    for (const Surprise surprise : {Surprise::kLarge, Surprise::kZeroSample, Surprise::kAllZero,
                                    Surprise::kLargest, Surprise::kTiny}) {
        // Two heads, which several CTAs share; eight short ones, several to a CTA.
        for (const auto& [smooth, shape] :
             {std::pair{true, Shape{1, 2, 2, 130, 700}}, std::pair{false, Shape{1, 2, 2, 130, 700}},
              std::pair{true, Shape{1, 8, 8, 130, 100}}}) {
            Case c = fp8_case(64, CausalMode::kTopLeft);
            c.spec.smooth_v = smooth;
            c.shape = shape;
            AttentionInput input = draw(c);
            uint16_t* v = input.v.bits().data();
            switch (surprise) {
                case Surprise::kLarge:
                    v[333 * 64 + 5] = fp16_from_double(900);
                    break;
                case Surprise::kZeroSample:  // one token alone is not zero, and not sampled
                    for (int64_t key = 0; key < 700; ++key) v[key * 64 + 9] = 0;
                    v[1 * 64 + 9] = fp16_from_double(0.25);
                    break;
                case Surprise::kAllZero:
                    for (int64_t key = 0; key < 700; ++key) v[key * 64 + 9] = 0;
                    break;
                case Surprise::kLargest:
                    v[150 * 64 + 63] = 0x7BFF;  // 65504
                    break;
                case Surprise::kTiny:
                    for (int64_t key = 0; key < 700; ++key) v[key * 64 + 1] = 1 + key % 3;
                    break;
            }
            const Outcome outcome = run_case(kernel_for(c, Device::host()), c, input);
            INFO(static_cast<int>(surprise) << " smooth " << smooth << " keys " << shape.len_k);
            CHECK(disagreements(c, outcome) == std::vector<std::string>{});
        }
    }
}
