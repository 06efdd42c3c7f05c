// Cases whose kernels make probabilities before they know the maximum
// (templates/wgmma/bold_steps.cuh).
#pragma once

#include <vector>

#include "cases.h"
#include "tensor/half.h"

namespace sagejit::test {

// Specs that take bold steps, each with a length of which nearly all tiles are bold.
inline std::vector<Case> bold_cases() {
    std::vector<Case> cases;
    for (const PvType pv : {PvType::kFp16, PvType::kBf16, PvType::kFp8}) {
        for (const int dim : {64, 128, 256}) {
            if (pv != PvType::kFp8 && dim > 128) continue;
            const bool narrow = pv != PvType::kFp8 && dim <= 64;
            Case c;
            c.spec = make_spec(dim);
            c.spec.target = "sm_90a";
            c.spec.lse = true;
            c.spec.pv_type = pv;
            if (pv == PvType::kBf16) c.spec.dtype = c.spec.output_dtype = DataType::kBf16;
            if (pv == PvType::kFp8) {
                c.spec.pv_accum = PvAccum::kFp32PromoteFp32;
                c.spec.smooth_v = true;
            }
            c.spec.smooth_k = false;
            c.shape = {1, 1, 1, 70, narrow ? 3500 : 1000};
            cases.push_back(c);
        }
    }
    return cases;
}

// Keys of a stretch as they were drawn, times a factor.
inline void scale_keys(AttentionInput& input, const Case& c, int64_t first, int64_t last,
                       double factor) {
    for (int64_t i = first * c.spec.head_dim; i < last * c.spec.head_dim; ++i) {
        uint16_t& bits = input.k.bits()[i];
        const bool bf16 = c.spec.dtype == DataType::kBf16;
        const double scaled = factor * (bf16 ? bf16_to_float(bits) : fp16_to_float(bits));
        bits = bf16 ? bf16_from_double(scaled) : fp16_from_double(scaled);
    }
}

}  // namespace sagejit::test
