#include "read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sagejit {
namespace {

// Far past any cubin: a longer file is not an entry.
constexpr off_t kMaxEntryBytes = off_t{256} << 20;

// False with errno set when reading fails. A file that ends early leaves `bytes` short.
bool read_all(int file, size_t size, std::string& bytes) {
    bytes.resize(size);
    size_t done = 0;
    while (done < size) {
        const ssize_t count = read(file, bytes.data() + done, size - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        if (count == 0) break;
        done += count;
    }
    bytes.resize(done);
    return true;
}

}  // namespace

FileContent read_file(const TrustedDirectory& directory, const std::string& name, size_t at_most) {
    FileContent content;
    content.file = FileHandle(openat(directory.descriptor(), name.c_str(),
                                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    const auto give = [&content](FileContent::State state, std::string problem) {
        content.state = state;
        content.problem = std::move(problem);
        return std::move(content);
    };
    if (!content.file.is_open() && errno == ENOENT) return give(FileContent::kMissing, "");
    if (!content.file.is_open() && errno == ELOOP)
        return give(FileContent::kBad, "a symbolic link");
    struct stat status {};
    if (!content.file.is_open() || fstat(content.file.get(), &status) != 0) {
        return give(FileContent::kUnreadable, std::strerror(errno));
    }
    if (!S_ISREG(status.st_mode) || !directory.accepts(status) || status.st_size > kMaxEntryBytes) {
        return give(FileContent::kBad, "not a file of this user alone");
    }
    const size_t wanted = std::min(static_cast<size_t>(status.st_size), at_most);
    if (!read_all(content.file.get(), wanted, content.bytes)) {
        return give(FileContent::kUnreadable, std::strerror(errno));
    }
    return give(FileContent::kWhole, "");
}

}  // namespace sagejit
