// The wgmma family on the host device, which finishes its asynchronous work in any order.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>

#include "bold_cases.h"
#include "cases.h"
#include "host/instruction_counts.h"
#include "tensor/half.h"

using namespace sagejit;
using namespace sagejit::test;

TEST_CASE("every kind of wgmma spec is right on ragged shapes") {
    for (const Spec& spec : wgmma_specs()) {
        for (const Layout layout : {Layout::kTokenMajor, Layout::kOdd}) {
            Case c;
            c.spec = spec;
            c.shape = {1, 4, 2, 201, 389};
            c.layout = layout;
            c.host_seed = 7;
            CHECK(check_case(c, Device::host()) == "");
        }
    }
}

TEST_CASE("random wgmma cases agree with all oracles") {
#ifdef SAGEJIT_SANITIZE
    constexpr uint64_t kCases = 20;
#else
    constexpr uint64_t kCases = 100;
#endif
    const char* wanted = std::getenv("SAGEJIT_FUZZ_CASES");
    const uint64_t count = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : kCases;
    const std::vector<Spec> specs = wgmma_specs();
    uint64_t failures = 0;
    for (uint64_t index = 0; index < count; ++index) {
        const std::string failure = check_case(random_case(specs, index), Device::host());
        CHECK(failure == "");
        if (!failure.empty() && ++failures == 20) FAIL("stopping after 20 failures");
    }
}

TEST_CASE("wgmma shapes with nothing to see, and with all of it in one tile") {
    for (const Shape& shape :
         {Shape{1, 2, 2, 0, 5}, Shape{1, 2, 2, 5, 0}, Shape{0, 2, 2, 5, 5}, Shape{1, 2, 1, 300, 1},
          Shape{2, 1, 1, 1, 300}, Shape{1, 2, 2, 400, 40}}) {
        for (const CausalMode causal : {CausalMode::kNone, CausalMode::kBottomRight}) {
            Case c;
            c.spec =
                make_spec(causal == CausalMode::kNone ? 64 : 128, Granularity::kThread, causal);
            c.spec.target = "sm_90a";
            c.spec.lse = true;
            c.shape = shape;
            c.host_seed = 3;
            CHECK(check_case(c, Device::host()) == "");
        }
    }
}

namespace {

// mma.sync is what scores are made again by, and nothing else that these kernels do.
uint64_t steps_made_again(const Case& c, const AttentionInput& input) {
    const uint64_t before = host::instructions_executed().mma;
    const Outcome outcome = run_case(kernel_for(c, Device::host()), c, input);
    REQUIRE(outcome.plan.bold_tiles > 0);
    CHECK(disagreements(c, outcome) == std::vector<std::string>{});
    const Plan& plan = outcome.plan;
    const auto of_a_step = static_cast<uint64_t>(plan.head_dim_padded / 32 * plan.tile_k / 8);
    const uint64_t executed = host::instructions_executed().mma - before;
    CHECK(executed % of_a_step == 0);
    return executed / of_a_step;
}

}  // namespace

TEST_CASE("a score may outgrow its row's reference by more than fp32 holds") {
    // From key 200 on, scores are some 200 times as large: some exceed all before by 2^128.
    std::vector<Case> cases = bold_cases();
    Case careful;
    careful.spec = make_spec(64);
    careful.spec.target = "sm_90a";
    careful.spec.lse = true;
    careful.spec.smooth_k = false;
    careful.shape = {1, 1, 1, 70, 500};
    cases.push_back(careful);
    for (const Case& c : cases) {
        AttentionInput input = draw(c);
        scale_keys(input, c, 200, c.shape.len_k, 200.0);
        const Outcome outcome = run_case(kernel_for(c, Device::host()), c, input);
        CHECK(disagreements(c, outcome) == std::vector<std::string>{});
    }
}

TEST_CASE("bold steps are made again where scores outgrow them, and only there") {
    for (const Case& c : bold_cases()) {
        CAPTURE(to_json(c.spec));
        const AttentionInput even = draw(c);
        CHECK(steps_made_again(c, even) == 0);
        // Two warpgroups of 70 queries: five warps have rows.
        AttentionInput late = draw(c);
        scale_keys(late, c, 600, 610, 5.0);
        const uint64_t once = steps_made_again(c, late);
        CHECK(once >= 1);
        CHECK(once <= 5);
        // Rows that are spread out from the start, by one key in the first tile, find maxima first.
        AttentionInput early = draw(c);
        scale_keys(early, c, 20, 21, 8.0);
        scale_keys(early, c, 600, 610, 30.0);
        CHECK(steps_made_again(c, early) <= 2);
    }
}

TEST_CASE("any finite logit_scale is honoured by wgmma kernels") {
    for (const float scale : {0.0f, -0.0f, 1e-30f, -0.2f, 3.0f}) {
        Case c;
        c.spec = make_spec(64);
        c.spec.target = "sm_90a";
        c.spec.lse = true;
        c.shape = {1, 2, 1, 100, 290};
        c.logit_scale = scale;
        CHECK(check_case(c, Device::host()) == "");
    }
}

TEST_CASE("a wgmma call gives the same bits whatever the schedule") {
    Case c;
    c.spec = make_spec(128, Granularity::kThread, CausalMode::kBottomRight);
    c.spec.target = "sm_90a";
    c.spec.lse = true;
    c.shape = {1, 2, 1, 250, 570};
    const AttentionInput input = draw(c);
    const Outcome plain = run_case(kernel_for(c, Device::host()), c, input);
    for (const uint64_t seed : {1u, 2u, 3u, 4u, 5u, 6u}) {
        c.host_seed = seed;
        const Outcome other = run_case(kernel_for(c, Device::host()), c, input);
        CHECK(other.o == plain.o);
        CHECK(other.lse == plain.lse);
    }
}

TEST_CASE("queries that helpers quantize give the same bits as those of a CTA's first tile") {
    constexpr int kDim = 256, kTile = 128, kTiles = 11, kLast = 40;
    Case c;
    c.spec = make_spec(kDim, Granularity::kThread, CausalMode::kNone);
    c.spec.target = "sm_90a";
    c.spec.lse = true;
    c.shape = {1, 1, 1, kTile * (kTiles - 1) + kLast, 200};
    AttentionInput input = draw(c);
    // Among them what helpers leave to the others: a bad row, a small one; the last tile is ragged.
    input.q.bits()[(5 * kTile + 70) * kDim + 3] = 0x7E00;
    for (int i = 0; i < kDim; ++i) input.q.bits()[(7 * kTile + 9) * kDim + i] = 0x0001;
    const auto kernel = kernel_for(c, Device::host());
    const Outcome all = run_case(kernel, c, input);
    REQUIRE(all.plan.query_blocks == 2);
    REQUIRE(all.plan.tile_q == kTile);
    for (int tile = 0; tile < kTiles; ++tile) {
        INFO("tile " << tile);
        Case part = c;
        part.shape.len_q = tile + 1 < kTiles ? kTile : kLast;
        AttentionInput alone = draw(part);
        const size_t first = static_cast<size_t>(tile) * kTile;
        std::copy_n(input.q.bits().begin() + first * kDim, part.shape.len_q * kDim,
                    alone.q.bits().begin());
        const Outcome one = run_case(kernel, part, alone);
        size_t unlike = 0;
        for (size_t i = 0; i < one.o.size(); ++i) {
            unlike += std::bit_cast<uint64_t>(one.o[i]) !=
                      std::bit_cast<uint64_t>(all.o[first * kDim + i]);
        }
        for (size_t i = 0; i < one.lse.size(); ++i) {
            unlike +=
                std::bit_cast<uint32_t>(one.lse[i]) != std::bit_cast<uint32_t>(all.lse[first + i]);
        }
        CHECK(unlike == 0);
    }
}

TEST_CASE("outputs too large for fp16 are no case for repair") {
    Case c;
    c.spec = make_spec(64, Granularity::kThread, CausalMode::kTopLeft);
    c.spec.target = "sm_90a";
    c.spec.dtype = DataType::kBf16;
    c.spec.pv_type = PvType::kBf16;
    c.spec.output_dtype = DataType::kFp16;
    c.shape = {1, 1, 1, 192, 192};
    const auto kernel = kernel_for(c, Device::host());
    const auto shuffles_with = [&](double value) {
        AttentionInput input = draw(c);
        for (uint16_t& bits : input.v.bits()) bits = bf16_from_double(value);
        const uint64_t before = host::instructions_executed().shuffles;
        const Outcome outcome = run_case(kernel, c, input);
        const double first = outcome.o[0];
        CHECK(std::isinf(first) == (value > 65504));
        CHECK(std::count(outcome.o.begin(), outcome.o.end(), first) ==
              static_cast<ptrdiff_t>(outcome.o.size()));
        return host::instructions_executed().shuffles - before;
    };
    CHECK(shuffles_with(1e6) == shuffles_with(1.0));
}

TEST_CASE("how queries are cut into tiles changes no bit of a result") {
    struct Kind {
        int head_dim;
        bool fp8;
        int64_t len_q;
    };
    for (const Kind& kind : {Kind{64, false, 330}, Kind{128, false, 1000}, Kind{128, true, 330}}) {
        Case c;
        c.spec = make_spec(kind.head_dim, Granularity::kThread, CausalMode::kNone);
        c.spec.target = "sm_90a";
        c.spec.lse = true;
        if (kind.fp8) {
            c.spec.pv_type = PvType::kFp8;
            c.spec.pv_accum = PvAccum::kFp32PromoteFp32;
            c.spec.smooth_v = true;
        }
        const int heads = kind.len_q == 330 ? 3 : 2;
        c.shape = {1, heads, heads, kind.len_q, 150};
        const AttentionInput input = draw(c);
        const auto kernel = kernel_for(c, Device::host());
        const Outcome all = run_case(kernel, c, input);
        Case part = c;
        part.shape.heads_q = part.shape.heads_kv = 1;
        constexpr int kCtas = 3;  // of the host device at once
        INFO(kind.head_dim << " fp8 " << kind.fp8);
        REQUIRE(cut_queries(all.plan, c.shape, kCtas).low_rows !=
                cut_queries(all.plan, part.shape, kCtas).low_rows);
        for (int head = 0; head < heads; ++head) {
            AttentionInput alone = draw(part);
            const auto take = [&](HostTensor& to, const HostTensor& from, int64_t count) {
                std::copy_n(from.bits().begin() + head * count, count, to.bits().begin());
            };
            take(alone.q, input.q, kind.len_q * kind.head_dim);
            take(alone.k, input.k, 150 * kind.head_dim);
            take(alone.v, input.v, 150 * kind.head_dim);
            const Outcome one = run_case(kernel, part, alone);
            CHECK(std::equal(one.o.begin(), one.o.end(), all.o.begin() + head * one.o.size()));
            CHECK(std::equal(one.lse.begin(), one.lse.end(),
                             all.lse.begin() + head * one.lse.size()));
        }
    }
}

TEST_CASE("low tiles under a mask change no bit of a result") {
    // Of 192 queries: the first two of three tiles are low. Of 128: the first of four.
    for (const CausalMode causal : {CausalMode::kBottomRight, CausalMode::kTopLeft}) {
        Case c;
        c.spec = make_spec(64, Granularity::kThread, causal);
        c.spec.target = "sm_90a";
        c.spec.lse = true;
        c.spec.tile_k = 64;
        c.shape = {1, 2, 2, 420, 470};
        const AttentionInput input = draw(c);
        std::vector<Outcome> outcomes;
        for (const int tile_q : {192, 128}) {
            c.spec.tile_q = tile_q;
            outcomes.push_back(run_case(kernel_for(c, Device::host()), c, input));
            CHECK(disagreements(c, outcomes.back()) == std::vector<std::string>{});
            const QueryTiles cut = cut_queries(outcomes.back().plan, c.shape, 3);
            CHECK(cut.low == (tile_q == 192 ? 2 : 1));
            CHECK(cut.low_rows == tile_q - 64);
        }
        CHECK(outcomes[0].o == outcomes[1].o);
        CHECK(outcomes[0].lse == outcomes[1].lse);
    }
}

TEST_CASE("queries too small for factors in fp16, and rows of zeros among them") {
    for (const int dim : {64, 256}) {
        Case c;
        c.spec = make_spec(dim, Granularity::kThread, CausalMode::kNone);
        c.spec.target = "sm_90a";
        c.shape = {1, 1, 1, 130, 200};
        c.logit_scale = -3000.0f;
        AttentionInput input = draw(c);
        for (int64_t i = 0; i < 130 * dim; ++i) {
            // One row of the second warp is tiny, two of a group in the third are zeros, and all
            // of the fourth.
            const int64_t row = i / dim;
            uint16_t& bits = input.q.bits()[i];
            const double shrink = row == 20                                 ? 1e-5
                                  : row == 35 || row == 43 || row / 16 == 3 ? 0
                                                                            : 1e-3;
            bits = fp16_from_double(fp16_to_float(bits) * shrink);
        }
        const Outcome outcome = run_case(kernel_for(c, Device::host()), c, input);
        CHECK(disagreements(c, outcome) == std::vector<std::string>{});
    }
}
