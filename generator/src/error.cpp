#include "sagejit/generator/error.h"

#include <utility>

namespace sagejit {

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalidConfig:
            return "invalid_config";
        case ErrorCode::kUnsupportedTarget:
            return "unsupported_target";
        case ErrorCode::kInvalidArgument:
            return "invalid_argument";
        case ErrorCode::kInvalidInput:
            return "invalid_input";
        case ErrorCode::kCompileFailed:
            return "compile_failed";
        case ErrorCode::kNoDriver:
            return "no_driver";
        case ErrorCode::kNoDevice:
            return "no_device";
        case ErrorCode::kNoNvrtc:
            return "no_nvrtc";
        case ErrorCode::kNoHostCompiler:
            return "no_host_compiler";
        case ErrorCode::kNotPrepared:
            return "not_prepared";
        case ErrorCode::kNotBuilt:
            return "not_built";
        case ErrorCode::kCancelled:
            return "cancelled";
        case ErrorCode::kLaunchFailed:
            return "launch_failed";
        case ErrorCode::kIo:
            return "io";
        case ErrorCode::kVerificationFailed:
            return "verification_failed";
        case ErrorCode::kInternal:
            return "internal";
    }
    return "unknown";
}

Error::Error(ErrorCode code, std::string message, std::string where, std::string fix)
    : code_(code), message_(std::move(message)), where_(std::move(where)), fix_(std::move(fix)) {
    if (!where_.empty()) text_ = where_ + ": ";
    text_ += message_;
    if (!fix_.empty()) text_ += " (" + fix_ + ")";
}

}  // namespace sagejit
