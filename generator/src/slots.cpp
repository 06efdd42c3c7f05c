#include "slots.h"

#include "sagejit/generator/error.h"

namespace sagejit {

std::string_view mask_variant(CausalMode mode) {
    switch (mode) {
        case CausalMode::kNone:
            return "attention/mask_none.cuh";
        case CausalMode::kTopLeft:
            return "attention/mask_top_left.cuh";
        case CausalMode::kBottomRight:
            return "attention/mask_bottom_right.cuh";
    }
    throw Error(ErrorCode::kInternal, "unknown causal mode", "source");
}

std::string_view groups_variant(Granularity granularity) {
    switch (granularity) {
        case Granularity::kTensor:
        case Granularity::kBlock:
            return "quantize/groups_one.cuh";
        case Granularity::kToken:
            return "quantize/groups_token.cuh";
        case Granularity::kWarp:
            return "quantize/groups_warp.cuh";
        case Granularity::kThread:
            return "quantize/groups_thread.cuh";
    }
    throw Error(ErrorCode::kInternal, "unknown granularity", "source");
}

std::string_view input_variant(DataType dtype) {
    return dtype == DataType::kFp16 ? "common/input_fp16.cuh" : "common/input_bf16.cuh";
}

std::string_view output_variant(DataType dtype) {
    return dtype == DataType::kFp16 ? "common/output_fp16.cuh" : "common/output_bf16.cuh";
}

const SharedRegion& stage_region(const Plan& plan, std::string_view name) {
    for (const SharedRegion& candidate : plan.stage_regions) {
        if (candidate.name == name) return candidate;
    }
    throw Error(ErrorCode::kInternal, "no shared region " + std::string(name), "source");
}

}  // namespace sagejit
