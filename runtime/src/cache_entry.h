// The bytes of one cache entry, and the key it is found by.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compile_cubin.h"

namespace sagejit {

// Everything a cubin depends on. Nothing it does not: no driver version, device, time or path.
struct CacheKey {
    std::string arch;    // "sm_90a"
    std::string text;    // all of it, spelled out; stored in the entry and compared
    std::string digest;  // 32 hex digits: XXH3-128 of text
};

// options: exact and in order.
CacheKey make_cache_key(std::string_view source, std::string_view generator, std::string_view arch,
                        std::span<const std::string> options, std::string_view nvrtc_version);

// Header (magic, format version, lengths), key text, metadata, cubin, XXH3-128 of all before.
std::string encode_entry(const CacheKey& key, const CompiledCubin& cubin);

// nullopt, with the reason in `problem`, for anything but a whole entry of that key holding a
// cubin of that architecture. Trusts none of the bytes.
std::optional<CompiledCubin> decode_entry(std::string_view bytes, const CacheKey& key,
                                          std::string& problem);

// What the key of an entry says before the source.
struct KeyHead {
    std::string generator, nvrtc, arch;
    std::vector<std::string> options;  // in order
};
// From the first bytes of an entry, unchecked; what is not there is empty.
KeyHead read_key_head(std::string_view entry);

// What an entry says about itself.
struct EntryDescription {
    CacheKey key;
    std::string generator, nvrtc;
    CompiledCubin cubin;
};

// Reads an entry whose key is not known beforehand, checking all else as decode_entry does.
std::optional<EntryDescription> describe_entry(std::string_view bytes, std::string& problem);

}  // namespace sagejit
