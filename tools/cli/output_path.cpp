#include "output_path.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "sagejit/generator/error.h"

namespace sagejit::cli {
namespace {

namespace fs = std::filesystem;

// The directory the file is, or would be, in; a symbolic link is followed, as writing does.
fs::path directory_of(const fs::path& output) {
    std::error_code error;
    fs::path target = output;
    if (fs::is_symlink(output, error)) target = fs::weakly_canonical(output, error);
    return target.has_parent_path() ? target.parent_path() : fs::path(".");
}

}  // namespace

bool names_directory(const std::string& path) {
    std::error_code error;
    return path.ends_with('/') || fs::is_directory(path, error);
}

void make_directory(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (fs::is_directory(path)) return;
    throw Error(ErrorCode::kIo,
                fmt::format("cannot create the directory: {}",
                            error ? error.message() : "a file of that name exists"),
                path, "choose another directory");
}

void check_output(const std::string& output, const std::vector<std::string>& inputs) {
    if (output.empty() || names_directory(output)) {
        throw Error(ErrorCode::kIo, output.empty() ? "the name is empty" : "is a directory",
                    output.empty() ? "--output" : output, "name a file to write");
    }
    if (output == "-") {
        throw Error(ErrorCode::kIo, "stdout is for text and JSON", "-", "name a file to write");
    }
    for (const std::string& input : inputs) {
        std::error_code error;
        if (output == input || fs::equivalent(output, input, error)) {
            throw Error(ErrorCode::kInvalidArgument,
                        fmt::format("is also an input ({}) and would be overwritten", input),
                        output, "choose another name for the output");
        }
    }
    const fs::path directory = directory_of(output);
    if (::access(directory.c_str(), W_OK | X_OK) != 0) {
        throw Error(
            ErrorCode::kIo,
            fmt::format("cannot write into {}: {}", directory.string(), std::strerror(errno)),
            output, "create the directory, or choose another one");
    }
}

}  // namespace sagejit::cli
