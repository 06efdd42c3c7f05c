// What is remembered of an NVRTC that was opened: enough to know it again without opening it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nvrtc_library.h"

namespace sagejit {

struct NvrtcRecord {
    // Checksums (32 hex digits) of what the search for libnvrtc sees, and of what the search for
    // its builtins library then sees.
    std::string search, builtins;
    NvrtcInfo info;  // what opening and trying it out then found

    bool operator==(const NvrtcRecord&) const = default;
};

// JSON with a checksum of its own. Empty where a path is not UTF-8: then nothing is remembered.
std::string encode_records(std::span<const NvrtcRecord> records);

// No records for anything but what encode_records has written, whole. Trusts none of the bytes.
std::vector<NvrtcRecord> decode_records(std::string_view text);

}  // namespace sagejit
