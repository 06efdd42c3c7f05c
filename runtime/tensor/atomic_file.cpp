#include "tensor/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& what, int code) {
    throw Error(ErrorCode::kIo, fmt::format("{}: {}", what, std::strerror(code)), path.string(),
                "check the directory, its permissions and the free space; nothing was changed");
}

// A file that is removed unless it was renamed into place.
class TemporaryFile {
  public:
    explicit TemporaryFile(const fs::path& destination) : destination_(destination) {
        static std::atomic<unsigned> counter{0};
        constexpr int kAttempts = 100;  // names may be left over from a killed process
        for (int i = 0; i < kAttempts; ++i) {
            path_ = destination;
            path_.replace_filename(fmt::format(".{}.{}-{}.tmp", destination.filename().string(),
                                               ::getpid(), counter++));
            descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
            if (descriptor_ >= 0 || errno != EEXIST) break;
        }
        if (descriptor_ < 0) fail(destination_, "cannot create a file beside it", errno);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() {
        if (descriptor_ >= 0) ::close(descriptor_);
        if (!renamed_) ::unlink(path_.c_str());
    }

    void write(std::span<const std::byte> bytes) {
        constexpr size_t kMostAtOnce = size_t{1} << 30;  // Linux writes less than 2 GiB at once
        while (!bytes.empty()) {
            const ssize_t written =
                ::write(descriptor_, bytes.data(), std::min(bytes.size(), kMostAtOnce));
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) fail(destination_, "cannot write", errno);
            bytes = bytes.subspan(static_cast<size_t>(written));
        }
    }

    void rename_into_place() {
        if (::fsync(descriptor_) != 0) fail(destination_, "cannot write", errno);
        const int closed = ::close(std::exchange(descriptor_, -1));
        if (closed != 0) fail(destination_, "cannot write", errno);
        if (::rename(path_.c_str(), destination_.c_str()) != 0)
            fail(destination_, "cannot rename into place", errno);
        renamed_ = true;
    }

  private:
    fs::path destination_, path_;
    int descriptor_ = -1;
    bool renamed_ = false;
};

}  // namespace

void write_file_atomically(const fs::path& path,
                           std::span<const std::span<const std::byte>> pieces) {
    std::error_code error;
    fs::path destination = path;
    if (fs::is_symlink(path, error)) destination = fs::weakly_canonical(path, error);
    const fs::file_status status = fs::status(destination, error);
    // Renaming over a device would replace it.
    if (fs::exists(status) && !fs::is_regular_file(status))
        throw Error(ErrorCode::kIo, "it exists and is not a regular file", path.string(),
                    "choose another name");
    TemporaryFile file(destination);
    for (const std::span<const std::byte> piece : pieces) file.write(piece);
    file.rename_into_place();
}

}  // namespace sagejit
