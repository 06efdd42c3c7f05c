#include "cache_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cubin.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sagejit {
namespace {

// Part of every key: a change to what a key or a cubin means.
constexpr int kKeySchema = 1;
constexpr std::array<char, 8> kMagic = {'s', 'a', 'g', 'e', 'j', 'i', 't', '\n'};
constexpr uint32_t kFormatVersion = 1;

struct Header {
    std::array<char, 8> magic = kMagic;
    uint32_t version = kFormatVersion;
    uint32_t reserved = 0;
    uint64_t key_bytes = 0;
    uint64_t metadata_bytes = 0;
    uint64_t cubin_bytes = 0;
};
static_assert(sizeof(Header) == 40 && std::endian::native == std::endian::little,
              "entries are little-endian, without padding");

using Checksum = XXH128_canonical_t;

Checksum checksum(std::string_view bytes) {
    Checksum result;
    XXH128_canonicalFromHash(&result, XXH3_128bits(bytes.data(), bytes.size()));
    return result;
}

std::string hex(const Checksum& checksum) {
    std::string text;
    for (const unsigned char byte : checksum.digest) text += fmt::format("{:02x}", byte);
    return text;
}

std::string encode_metadata(const CompiledCubin& cubin) {
    nlohmann::json entries = nlohmann::json::array();
    for (const CubinEntry& entry : cubin.entries) {
        entries.push_back({{"symbol", entry.symbol},
                           {"registers", entry.registers},
                           {"stack_bytes", entry.stack_bytes},
                           {"spill_store_bytes", entry.spill_store_bytes},
                           {"spill_load_bytes", entry.spill_load_bytes},
                           {"static_shared_bytes", entry.static_shared_bytes}});
    }
    const nlohmann::json metadata = {{"entries", entries}, {"warnings", cubin.warnings}};
    return metadata.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// False for text that encode_metadata does not write.
bool decode_metadata(std::string_view text, CompiledCubin& cubin) {
    try {
        const nlohmann::json metadata = nlohmann::json::parse(text);
        for (const nlohmann::json& entry : metadata.at("entries")) {
            cubin.entries.push_back(
                {entry.at("symbol").get<std::string>(), entry.at("registers").get<int>(),
                 entry.at("stack_bytes").get<int>(), entry.at("spill_store_bytes").get<int>(),
                 entry.at("spill_load_bytes").get<int>(),
                 entry.at("static_shared_bytes").get<int>()});
        }
        cubin.warnings = metadata.at("warnings").get<std::string>();
        cubin.log = cubin.warnings;
        return true;
    } catch (const nlohmann::json::exception&) {
        return false;
    }
}

// 90 for "sm_90a".
int arch_number(std::string_view arch) {
    constexpr std::string_view kPrefix = "sm_";
    int number = 0;
    if (arch.starts_with(kPrefix)) {
        std::from_chars(arch.data() + kPrefix.size(), arch.data() + arch.size(), number);
    }
    return number;
}

}  // namespace

CacheKey make_cache_key(std::string_view source, std::string_view generator, std::string_view arch,
                        std::span<const std::string> options, std::string_view nvrtc_version) {
    CacheKey key;
    key.arch = arch;
    key.text = fmt::format("sagejit cubin {}\ngenerator {}\nnvrtc {}\narch {}\n", kKeySchema,
                           generator, nvrtc_version, arch);
    for (const std::string& option : options) key.text += fmt::format("option {}\n", option);
    key.text += fmt::format("source {} bytes\n", source.size());
    key.text += source;
    key.digest = hex(checksum(key.text));
    return key;
}

std::string encode_entry(const CacheKey& key, const CompiledCubin& cubin) {
    const std::string metadata = encode_metadata(cubin);
    Header header;
    header.key_bytes = key.text.size();
    header.metadata_bytes = metadata.size();
    header.cubin_bytes = cubin.bytes.size();

    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes += key.text;
    bytes += metadata;
    bytes.append(cubin.bytes.begin(), cubin.bytes.end());
    const Checksum sum = checksum(bytes);
    bytes.append(reinterpret_cast<const char*>(sum.digest), sizeof sum.digest);
    return bytes;
}

std::optional<CompiledCubin> decode_entry(std::string_view bytes, const CacheKey& key,
                                          std::string& problem) {
    const auto refuse = [&problem](std::string why) {
        problem = std::move(why);
        return std::nullopt;
    };
    Header header;
    if (bytes.size() < sizeof header + sizeof(Checksum)) return refuse("truncated");
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.magic != kMagic) return refuse("not a cache entry");
    if (header.version != kFormatVersion) return refuse("of another format version");

    const std::string_view body = bytes.substr(0, bytes.size() - sizeof(Checksum));
    std::string_view rest = body.substr(sizeof header);
    const auto take = [&rest](uint64_t size) {
        const std::string_view part = rest.substr(0, size);
        rest.remove_prefix(size);
        return part;
    };
    if (header.key_bytes > rest.size()) return refuse("truncated");
    const std::string_view key_text = take(header.key_bytes);
    if (header.metadata_bytes > rest.size()) return refuse("truncated");
    const std::string_view metadata = take(header.metadata_bytes);
    if (header.cubin_bytes != rest.size()) return refuse("truncated");

    const Checksum sum = checksum(body);
    if (std::memcmp(sum.digest, bytes.data() + body.size(), sizeof sum.digest) != 0) {
        return refuse("damaged: its checksum differs");
    }
    if (key_text != key.text) return refuse("of another key");
    CompiledCubin cubin;
    cubin.bytes.assign(rest.begin(), rest.end());
    if (cubin_arch(cubin.bytes) != arch_number(key.arch)) return refuse("of another architecture");
    if (!decode_metadata(metadata, cubin)) return refuse("without readable metadata");
    return cubin;
}

KeyHead read_key_head(std::string_view entry) {
    KeyHead head;
    if (entry.size() < sizeof(Header)) return head;
    std::string_view rest = entry.substr(sizeof(Header));
    while (!rest.empty() && !rest.starts_with("source ")) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        const auto value_of = [line](std::string_view name, std::string& value) {
            if (line.starts_with(name)) value = line.substr(name.size());
        };
        value_of("generator ", head.generator);
        value_of("nvrtc ", head.nvrtc);
        value_of("arch ", head.arch);
        constexpr std::string_view kOption = "option ";
        if (line.starts_with(kOption)) head.options.emplace_back(line.substr(kOption.size()));
    }
    return head;
}

std::optional<EntryDescription> describe_entry(std::string_view bytes, std::string& problem) {
    Header header;
    if (bytes.size() < sizeof header) {
        problem = "truncated";
        return std::nullopt;
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    EntryDescription entry;
    // Out of range for what is no entry; decode_entry says why.
    entry.key.text = bytes.substr(sizeof header, header.key_bytes);
    entry.key.digest = hex(checksum(entry.key.text));
    const KeyHead head = read_key_head(bytes);
    entry.generator = head.generator;
    entry.nvrtc = head.nvrtc;
    entry.key.arch = head.arch;
    std::optional<CompiledCubin> cubin = decode_entry(bytes, entry.key, problem);
    if (!cubin) return std::nullopt;
    entry.cubin = *std::move(cubin);
    return entry;
}

}  // namespace sagejit
