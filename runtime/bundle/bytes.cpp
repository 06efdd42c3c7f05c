#include "bundle/bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
    throw Error(ErrorCode::kIo, problem, path, "name a bundle made by sagejit build");
}

// Read by pread from a file that stays open: no signal when it shrinks, no surprise when another is
// renamed over it, no position that threads would share.
class FileBytes : public BundleBytes {
  public:
    explicit FileBytes(const std::filesystem::path& file) : path_(file.string()) {
        // Without O_NONBLOCK, opening a pipe waits for somebody to write.
        descriptor_ = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (descriptor_ < 0) fail(path_, fmt::format("cannot open: {}", std::strerror(errno)));
        struct stat status {};
        const bool known = ::fstat(descriptor_, &status) == 0;
        if (!known || !S_ISREG(status.st_mode)) {
            ::close(descriptor_);
            fail(path_, "is not a regular file");
        }
        size_ = static_cast<uint64_t>(status.st_size);
    }
    ~FileBytes() override { ::close(descriptor_); }
    FileBytes(const FileBytes&) = delete;
    FileBytes& operator=(const FileBytes&) = delete;

    uint64_t size() const override { return size_; }

    void read(uint64_t offset, std::span<uint8_t> to) const override {
        while (!to.empty()) {
            const ssize_t got =
                ::pread(descriptor_, to.data(), to.size(), static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) fail(path_, fmt::format("cannot read: {}", std::strerror(errno)));
            if (got == 0) fail(path_, "has become shorter since it was opened");
            offset += static_cast<uint64_t>(got);
            to = to.subspan(static_cast<size_t>(got));
        }
    }

  private:
    std::string path_;
    int descriptor_ = -1;
    uint64_t size_ = 0;
};

class MemoryBytes : public BundleBytes {
  public:
    explicit MemoryBytes(std::span<const std::byte> bytes) : bytes_(bytes) {}
    uint64_t size() const override { return bytes_.size(); }
    void read(uint64_t offset, std::span<uint8_t> to) const override {
        const std::span<const std::byte> from = bytes_.subspan(offset, to.size());
        std::transform(from.begin(), from.end(), to.begin(),
                       [](std::byte byte) { return static_cast<uint8_t>(byte); });
    }

  private:
    std::span<const std::byte> bytes_;
};

}  // namespace

std::unique_ptr<BundleBytes> bytes_of_file(const std::filesystem::path& file) {
    return std::make_unique<FileBytes>(file);
}

std::unique_ptr<BundleBytes> bytes_of_memory(std::span<const std::byte> bytes) {
    return std::make_unique<MemoryBytes>(bytes);
}

}  // namespace sagejit
