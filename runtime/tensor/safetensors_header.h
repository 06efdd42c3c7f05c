// The JSON header of a safetensors file: parsed and checked without touching any tensor's bytes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/safetensors.h"

namespace sagejit {

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
inline constexpr size_t kMaxRank = 64;                    // ours; shapes are four sizes or fewer
inline constexpr int64_t kHeaderLengthBytes = 8;
inline constexpr std::string_view kMetadataName = "__metadata__";

struct StoredEntry {
    std::string name;
    StoredType type = StoredType::kF32;
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0;  // bytes, from the end of the header
};

struct SafetensorsHeader {
    std::vector<StoredEntry> entries;  // by rising offset
    std::map<std::string, std::string> metadata;
};

// The length of the header, from the first eight bytes of a file of `file_bytes` bytes.
// Throws Error(kInvalidInput).
uint64_t parse_header_length(std::string_view first_bytes, uint64_t file_bytes,
                             std::string_view origin);

// Parses a header that is followed by data_bytes bytes of data. Throws Error(kInvalidInput)
// unless the tensors are well-formed and tile the data exactly: no overlap, no hole, no rest.
SafetensorsHeader parse_header(std::string_view json, uint64_t data_bytes, std::string_view origin);

// The bytes of a tensor of this shape. Throws the given error code where they overflow.
uint64_t stored_bytes(StoredType type, const std::vector<int64_t>& shape, std::string_view name,
                      std::string_view origin, ErrorCode code);

// A name for a message: quoted, escaped to printable ASCII, cut short.
std::string printable(std::string_view name);

}  // namespace sagejit
