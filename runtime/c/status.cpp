#include "status.h"

namespace sagejit::c {
namespace {

struct LastError {
    sagejit_status status = SAGEJIT_OK;
    // Used where the strings are empty for lack of memory; of static lifetime.
    const char* fallback = "";
    std::string text, message, where, fix;
};

thread_local LastError last_error;

sagejit_status to_status(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalidConfig:
            return SAGEJIT_INVALID_CONFIG;
        case ErrorCode::kUnsupportedTarget:
            return SAGEJIT_UNSUPPORTED_TARGET;
        case ErrorCode::kInvalidArgument:
            return SAGEJIT_INVALID_ARGUMENT;
        case ErrorCode::kInvalidInput:
            return SAGEJIT_INVALID_INPUT;
        case ErrorCode::kCompileFailed:
            return SAGEJIT_COMPILE_FAILED;
        case ErrorCode::kNoDriver:
            return SAGEJIT_NO_DRIVER;
        case ErrorCode::kNoDevice:
            return SAGEJIT_NO_DEVICE;
        case ErrorCode::kNoNvrtc:
            return SAGEJIT_NO_NVRTC;
        case ErrorCode::kNoHostCompiler:
            return SAGEJIT_NO_HOST_COMPILER;
        case ErrorCode::kNotPrepared:
            return SAGEJIT_NOT_PREPARED;
        case ErrorCode::kNotBuilt:
            return SAGEJIT_NOT_BUILT;
        case ErrorCode::kCancelled:
            return SAGEJIT_CANCELLED;
        case ErrorCode::kLaunchFailed:
            return SAGEJIT_LAUNCH_FAILED;
        case ErrorCode::kIo:
            return SAGEJIT_IO;
        case ErrorCode::kVerificationFailed:
            return SAGEJIT_VERIFICATION_FAILED;
        case ErrorCode::kInternal:
            return SAGEJIT_INTERNAL;
    }
    return SAGEJIT_INTERNAL;
}

// Assigning to a string may throw; keeps the status whatever happens.
void remember(sagejit_status status, const char* fallback, const char* text, const char* message,
              const char* where, const char* fix) noexcept {
    LastError& last = last_error;
    last.status = status;
    last.fallback = fallback;
    try {
        last.text = text;
        last.message = message;
        last.where = where;
        last.fix = fix;
    } catch (...) {
        for (std::string* each : {&last.text, &last.message, &last.where, &last.fix}) {
            each->clear();
        }
    }
}

}  // namespace

sagejit_status fail(const Error& error) noexcept {
    const sagejit_status status = to_status(error.code());
    remember(status, "the process is out of memory for the message", error.what(),
             error.message().c_str(), error.where().c_str(), error.fix().c_str());
    return status;
}

sagejit_status fail(sagejit_status status, const char* message) noexcept {
    remember(status, "the process is out of memory", message, message, "", "");
    return status;
}

void refuse(std::string where, std::string message, std::string fix) {
    throw Error(ErrorCode::kInvalidArgument, std::move(message), std::move(where), std::move(fix));
}

}  // namespace sagejit::c

using sagejit::c::last_error;

sagejit_status sagejit_last_status(void) { return last_error.status; }

const char* sagejit_last_error(void) {
    return last_error.text.empty() ? last_error.fallback : last_error.text.c_str();
}

const char* sagejit_last_error_message(void) {
    return last_error.message.empty() ? last_error.fallback : last_error.message.c_str();
}

const char* sagejit_last_error_where(void) { return last_error.where.c_str(); }

const char* sagejit_last_error_fix(void) { return last_error.fix.c_str(); }

const char* sagejit_status_name(sagejit_status status) {
    if (status == SAGEJIT_OK) return "ok";
    if (status == SAGEJIT_OUT_OF_MEMORY) return "out_of_memory";
    // The C++ spellings: string literals, so they end in NUL. Codes are numbered from 0.
    for (int code = 0; code <= static_cast<int>(sagejit::ErrorCode::kInternal); ++code) {
        if (sagejit::c::to_status(sagejit::ErrorCode{code}) == status) {
            return sagejit::to_string(sagejit::ErrorCode{code}).data();
        }
    }
    return "unknown";
}
