#include "shared_cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "read_file.h"
#include "toolkits.h"
#include "warning.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace sagejit {
namespace {

using Json = nlohmann::ordered_json;
using Missing = TrustedDirectory::Missing;
using Owner = TrustedDirectory::Owner;

constexpr const char* kManifest = "manifest.json";
constexpr int kSchemaVersion = 1;
constexpr std::string_view kEntrySuffix = ".cubin-entry";

std::string checksum(std::string_view bytes) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string entry_path(const CacheKey& key) {
    return fmt::format("{}/{}/{}{}", key.arch, key.digest.substr(0, 2), key.digest, kEntrySuffix);
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& problem) {
    throw Error(ErrorCode::kIo, problem, path.string());
}

void write_whole(const std::filesystem::path& path, std::string_view bytes) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << bytes << std::flush;
    if (!file) fail(path, "cannot be written");
}

}  // namespace

std::filesystem::path SharedCache::default_directory() {
    const char* named = std::getenv("SAGEJIT_SHARED_CACHE_DIR");
    return named != nullptr ? named : "";
}

SharedCache::SharedCache(const std::filesystem::path& root) {
    if (root.empty()) return;
    root_ = TrustedDirectory::open(root, Missing::kRefuse, Owner::kUserOrRoot);
    if (root_.is_open()) return;
    warn_once(fmt::format("the shared cache is ignored: {} {}", root.string(),
                          root_.problem().empty() ? "does not exist" : root_.problem()));
}

std::optional<CompiledCubin> SharedCache::find(const CacheKey& key) const {
    if (!root_.is_open()) return std::nullopt;
    const auto ignore = [](const std::filesystem::path& path, const std::string& problem) {
        warn_once(
            fmt::format("part of the shared cache is ignored: {} {}", path.string(), problem));
        return std::nullopt;
    };
    const FileContent manifest = read_file(root_, kManifest);
    if (manifest.state != FileContent::kWhole) {
        return ignore(root_.path() / kManifest, manifest.state == FileContent::kMissing
                                                    ? "does not exist"
                                                    : "is " + manifest.problem);
    }
    const std::string path = entry_path(key);
    uint64_t bytes = 0;
    std::string sum;
    try {
        const Json parsed = Json::parse(manifest.bytes);
        if (parsed.at("schema_version") != kSchemaVersion) {
            return ignore(root_.path() / kManifest, "is of another version");
        }
        const auto& entries = parsed.at("entries");
        const auto entry = entries.find(path);
        if (entry == entries.end()) return std::nullopt;
        bytes = entry->at("bytes").get<uint64_t>();
        sum = entry->at("checksum").get<std::string>();
    } catch (const Json::exception&) {
        return ignore(root_.path() / kManifest, "is not a manifest");
    }
    const TrustedDirectory directory = root_.open_child(key.arch, Missing::kRefuse)
                                           .open_child(key.digest.substr(0, 2), Missing::kRefuse);
    const std::filesystem::path full = root_.path() / path;
    if (!directory.is_open()) {
        return ignore(full, directory.problem().empty() ? "is missing" : directory.problem());
    }
    const FileContent file = read_file(directory, key.digest + std::string(kEntrySuffix));
    if (file.state == FileContent::kMissing) return ignore(full, "is missing");
    if (file.state != FileContent::kWhole) return ignore(full, "is " + file.problem);
    if (file.bytes.size() != bytes || checksum(file.bytes) != sum) {
        return ignore(full, "is not what the manifest says");
    }
    std::string problem;
    std::optional<CompiledCubin> cubin = decode_entry(file.bytes, key, problem);
    if (!cubin) return ignore(full, "is " + problem);
    return cubin;
}

std::vector<NvrtcInfo> SharedCache::toolkits(const std::string& arch) const {
    return toolkits_of_entries(root_, arch);
}

size_t share_cache(const DiskCache& cache, const std::filesystem::path& directory) {
    std::error_code error;
    if (std::filesystem::exists(std::filesystem::symlink_status(directory, error))) {
        fail(directory, "exists already");
    }
    std::filesystem::create_directories(directory, error);
    if (error) fail(directory, error.message());
    Json entries = Json::object();
    for (const CacheFile& file : cache.files()) {
        std::string problem;
        const auto bytes = cache.read(file, problem);
        if (!bytes) continue;
        const auto entry = describe_entry(*bytes, problem);
        if (!entry || entry_path(entry->key) != file.path()) continue;
        write_whole(directory / file.path(), *bytes);
        entries[file.path()] = {{"bytes", bytes->size()}, {"checksum", checksum(*bytes)}};
    }
    // Last: a directory without one is not used.
    const Json manifest = {{"schema_version", kSchemaVersion}, {"entries", entries}};
    write_whole(directory / kManifest, manifest.dump(2) + "\n");
    // Whatever the umask: others may read all of it, and write none.
    std::filesystem::permissions(directory, std::filesystem::perms(0755), error);
    for (const auto& item : std::filesystem::recursive_directory_iterator(directory, error)) {
        std::filesystem::permissions(
            item.path(), std::filesystem::perms(item.is_directory() ? 0755 : 0644), error);
    }
    return entries.size();
}

}  // namespace sagejit
