// NaN and Inf in inputs: where fp64 attention gives a finite row, so do we; where it does not,
// neither do we. The documented exception: a key with Inf makes every row that sees it NaN.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "cases.h"
#include "reference/attention.h"

using namespace sagejit;
using namespace sagejit::test;

namespace {

enum class Operand { kQ, kK, kV };

struct Planted {
    Operand operand;
    int64_t token;
    int64_t channel;
    uint16_t bits;
};

void plant(AttentionInput& input, const Planted& planted) {
    HostTensor& tensor = planted.operand == Operand::kQ   ? input.q
                         : planted.operand == Operand::kK ? input.k
                                                          : input.v;
    tensor.bits()[planted.token * tensor.shape[3] + planted.channel] = planted.bits;
}

uint16_t nan_bits(DataType type) { return type == DataType::kFp16 ? 0x7E00 : 0x7FC0; }
uint16_t infinity_bits(DataType type) { return type == DataType::kFp16 ? 0x7C00 : 0x7F80; }

void check_reach(const std::vector<Spec>& specs) {
    for (const Spec& base : specs) {
        // One batch, one head: token t of each operand is row t of its matrix.
        Case c;
        c.spec = base;
        c.shape = {1, 1, 1, 150, 140};
        for (const Planted& planted : {Planted{Operand::kQ, 77, 3, nan_bits(base.dtype)},
                                       Planted{Operand::kQ, 149, 0, infinity_bits(base.dtype)},
                                       Planted{Operand::kK, 70, 5, nan_bits(base.dtype)},
                                       Planted{Operand::kK, 139, 0, nan_bits(base.dtype)},
                                       Planted{Operand::kV, 100, 7, nan_bits(base.dtype)},
                                       Planted{Operand::kV, 63, 31, infinity_bits(base.dtype)}}) {
            AttentionInput input = draw(c);
            plant(input, planted);
            const Outcome outcome = run_case(kernel_for(c, Device::host()), c, input);
            const AttentionResult exact = exact_attention(outcome.problem, c.spec.causal);
            INFO(describe(c) << " operand " << static_cast<int>(planted.operand) << " token "
                             << planted.token);
            int64_t nonfinite = 0, wrong = 0;
            for (size_t i = 0; i < exact.o.size(); ++i) {
                nonfinite += !std::isfinite(exact.o[i]);
                wrong += std::isfinite(exact.o[i]) != std::isfinite(outcome.o[i]);
                wrong += std::isfinite(exact.o[i]) && std::abs(exact.o[i] - outcome.o[i]) > 0.5;
            }
            CHECK(nonfinite > 0);
            CHECK(wrong == 0);
            for (size_t i = 0; i < outcome.lse.size(); ++i) {
                if (std::isnan(exact.lse[i]) != std::isnan(outcome.lse[i])) ++wrong;
            }
            CHECK(wrong == 0);
        }
    }
}

}  // namespace

TEST_CASE("NaN reaches just the rows that fp64 attention says") { check_reach(diverse_specs()); }

TEST_CASE("NaN reaches just those rows by wgmma") { check_reach(wgmma_specs()); }

TEST_CASE("NaN reaches just those rows with values in fp8") { check_reach(fp8_specs()); }

TEST_CASE("an infinite key makes NaN of just the rows that see it") {
    Case c;
    c.spec = make_spec(64, Granularity::kThread, CausalMode::kTopLeft);
    c.spec.lse = true;
    c.shape = {1, 1, 1, 150, 150};
    AttentionInput input = draw(c);
    plant(input, {Operand::kK, 70, 5, infinity_bits(DataType::kFp16)});
    const Outcome outcome = run_case(kernel_for(c, Device::host()), c, input);
    for (int64_t row = 0; row < 150; ++row) {
        INFO("row " << row);
        CHECK(std::isnan(outcome.o[row * 64]) == (row >= 70));
        CHECK(std::isnan(outcome.lse[row]) == (row >= 70));
    }
}

TEST_CASE("rows that see no key are zero with lse -inf") {
    Case c;
    c.spec = make_spec(64, Granularity::kToken, CausalMode::kBottomRight);
    c.spec.lse = true;
    c.shape = {1, 1, 1, 100, 40};
    AttentionInput input = draw(c);
    plant(input, {Operand::kQ, 10, 5, nan_bits(DataType::kFp16)});
    const Outcome outcome = run_case(kernel_for(c, Device::host()), c, input);
    for (int64_t row = 0; row < 60; ++row) {
        CHECK(outcome.o[row * 64 + 1] == 0.0);
        CHECK(outcome.lse[row] == -std::numeric_limits<float>::infinity());
    }
    CHECK(std::isfinite(outcome.lse[60]));
}
