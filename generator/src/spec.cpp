#include "sagejit/generator/spec.h"

#include "spec_fields.h"

namespace sagejit {

// A value outside its enumeration, which only a C++ caller can make, is spelled "": no rule
// accepts that, so validate refuses it.

std::string_view to_string(DataType value) {
    switch (value) {
        case DataType::kFp16:
            return "fp16";
        case DataType::kBf16:
            return "bf16";
    }
    return "";
}

std::string_view to_string(CausalMode value) {
    switch (value) {
        case CausalMode::kNone:
            return "none";
        case CausalMode::kTopLeft:
            return "top_left";
        case CausalMode::kBottomRight:
            return "bottom_right";
    }
    return "";
}

std::string_view to_string(Granularity value) {
    switch (value) {
        case Granularity::kTensor:
            return "tensor";
        case Granularity::kToken:
            return "token";
        case Granularity::kBlock:
            return "block";
        case Granularity::kWarp:
            return "warp";
        case Granularity::kThread:
            return "thread";
    }
    return "";
}

std::string_view to_string(PvType value) {
    switch (value) {
        case PvType::kFp16:
            return "fp16";
        case PvType::kBf16:
            return "bf16";
        case PvType::kInt8:
            return "int8";
        case PvType::kFp8:
            return "fp8_e4m3";
    }
    return "";
}

std::string_view to_string(PvAccum value) {
    switch (value) {
        case PvAccum::kFp32:
            return "fp32";
        case PvAccum::kFp16:
            return "fp16";
        case PvAccum::kFp32PromoteFp16:
            return "fp32_promote_fp16";
        case PvAccum::kFp32PromoteInt32:
            return "fp32_promote_int32";
        case PvAccum::kFp32PromoteFp32:
            return "fp32_promote_fp32";
    }
    return "";
}

void validate(const Spec& spec) { rules::resolve_spec(rules::members_of(spec), "spec"); }

}  // namespace sagejit
