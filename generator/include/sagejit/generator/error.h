// The one error type of sagejit: what happened, where, and what to do next.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace sagejit {

// What kind of failure an Error reports. Each maps to one exit code of the command line.
enum class ErrorCode {
    kInvalidConfig,      // a config breaks a rule; `where` is a JSON path such as /qk/granularity
    kUnsupportedTarget,  // the plan does not fit the target, or the target is not known
    kInvalidArgument,    // a call's shapes, strides, dtypes or pointers break a precondition
    kInvalidInput,       // a file is malformed, truncated or holds the wrong tensors
    kCompileFailed,      // NVRTC, ptxas or the host compiler refused a source; the log is in what()
    kNoDriver,           // libcuda could not be loaded or initialised
    kNoDevice,           // no such GPU
    kNoNvrtc,            // libnvrtc could not be loaded
    kNoHostCompiler,     // no C++ compiler for the host device
    kNotPrepared,        // launch before prepare
    kNotBuilt,           // compiling was not allowed, and nothing holds the kernel
    kCancelled,          // a deadline passed, or the caller asked to stop
    kLaunchFailed,       // the driver refused a launch, or a kernel faulted
    kIo,                 // a file could not be read or written
    kVerificationFailed,  // results are outside their bounds
    kInternal,            // a bug in sagejit
};

// The code's stable spelling in JSON output, e.g. "invalid_config".
std::string_view to_string(ErrorCode code);

class Error : public std::exception {
  public:
    // message: what happened, one sentence. where: config path, file, entry or argument; may be
    // empty. fix: what to do next; may be empty.
    Error(ErrorCode code, std::string message, std::string where = {}, std::string fix = {});

    ErrorCode code() const { return code_; }
    const std::string& message() const { return message_; }
    const std::string& where() const { return where_; }
    const std::string& fix() const { return fix_; }
    // All three parts: "where: message (fix)".
    const char* what() const noexcept override { return text_.c_str(); }

  private:
    ErrorCode code_;
    std::string message_, where_, fix_, text_;
};

}  // namespace sagejit
