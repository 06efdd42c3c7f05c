// Reading and writing the safetensors format: a length, a JSON header, then the tensors' bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/aligned_bytes.h"
#include "tensor/host_tensor.h"

namespace sagejit {

// Element types whose size is a whole number of bytes. sagejit computes with F16, BF16 and F32;
// the others are carried as bytes.
enum class StoredType {
    kBool,
    kU8,
    kI8,
    kF8E4M3,
    kF8E5M2,
    kF8E8M0,
    kU16,
    kI16,
    kF16,
    kBf16,
    kU32,
    kI32,
    kF32,
    kU64,
    kI64,
    kF64,
    kC64,
};
std::string_view to_string(StoredType type);  // as in the file: "BF16"
std::optional<StoredType> parse_stored_type(std::string_view text);
int64_t element_bytes(StoredType type);

struct StoredTensor {
    std::string name;
    StoredType type = StoredType::kF32;
    std::vector<int64_t> shape;  // elements, outermost first; empty for one scalar
    AlignedBytes data;           // little-endian, row-major, 64-byte aligned
};

struct SafetensorsFile {
    std::string origin;  // names the file in errors
    std::vector<StoredTensor> tensors;
    std::map<std::string, std::string> metadata;

    // The tensor of that name. Throws Error(kInvalidInput) listing the names there are.
    const StoredTensor& at(std::string_view name) const;
};

// Reads a file, which may be hostile: nothing is allocated beyond what its size warrants, and
// every rule of the format is checked. Throws Error(kIo) when it cannot be read and
// Error(kInvalidInput), naming the file, when it is not a well-formed safetensors file.
SafetensorsFile read_safetensors(const std::filesystem::path& path);

// The same from memory. origin names the bytes in errors.
SafetensorsFile parse_safetensors(std::span<const std::byte> bytes, std::string_view origin);

// Writes a file in whole or not at all: into a temporary file beside it, which is then renamed.
// Tensors are stored by falling element size, then name, each aligned to its elements.
// Throws Error(kInvalidArgument) for duplicate or reserved names, names that are not UTF-8, and
// data whose size does not match its shape; Error(kIo) when writing fails.
void write_safetensors(const std::filesystem::path& path, std::span<const StoredTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

// A stored [batch, heads, len, dim] tensor of F16 or BF16 as kernels take it.
// Throws Error(kInvalidInput) naming origin for another type or rank.
HostTensor to_host_tensor(const StoredTensor& tensor, std::string_view origin);
StoredTensor to_stored_tensor(std::string name, const HostTensor& tensor);

}  // namespace sagejit
