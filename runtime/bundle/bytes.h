// The bytes a bundle is read from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace sagejit {

class BundleBytes {
  public:
    virtual ~BundleBytes() = default;
    virtual uint64_t size() const = 0;
    // Fills `to` from an offset. Nothing past size() may be asked for. Throws Error(kIo), also when
    // a file has become shorter.
    virtual void read(uint64_t offset, std::span<uint8_t> to) const = 0;
};

// Throws Error(kIo) when the file cannot be opened, or is no regular file.
std::unique_ptr<BundleBytes> bytes_of_file(const std::filesystem::path& file);
// The memory must outlive the result.
std::unique_ptr<BundleBytes> bytes_of_memory(std::span<const std::byte> bytes);

}  // namespace sagejit
