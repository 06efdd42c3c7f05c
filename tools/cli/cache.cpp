// sagejit cache: what is kept of compiled kernels, and making it less.
#include <fmt/format.h>

#include <ctime>
#include <limits>
#include <memory>

#include "cache_admin.h"
#include "cache_directory.h"
#include "output.h"
#include "shared_cache.h"
#include "table.h"
#include "verbs.h"

namespace sagejit::cli {
namespace {

constexpr uint64_t kUnset = std::numeric_limits<uint64_t>::max();
constexpr uint64_t kSecondsPerDay = 24 * 60 * 60;

struct Options {
    std::string action, output;
    uint64_t max_bytes = kUnset, older_than = kUnset;
    bool quarantine = false, json = false;
};

std::string time_text(int64_t seconds) {
    const time_t time = seconds;
    tm parts{};
    gmtime_r(&time, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

Json item_json(const CacheItem& item) {
    return {{"arch", item.arch},           {"file", item.name},
            {"bytes", item.bytes},         {"used", time_text(item.used)},
            {"ok", item.problem.empty()},  {"problem", item.problem},
            {"generator", item.generator}, {"nvrtc", item.nvrtc},
            {"entries", item.entries}};
}

uint64_t bytes_of(const std::vector<CacheItem>& items) {
    uint64_t sum = 0;
    for (const CacheItem& item : items) sum += item.bytes;
    return sum;
}

int run_ls(const DiskCache& cache, const Options& options) {
    const std::vector<CacheItem> items = list_cache(cache);
    if (options.json) {
        Json entries = Json::array();
        for (const CacheItem& item : items) entries.push_back(item_json(item));
        print_json({{"directory", cache.root().string()},
                    {"bytes", bytes_of(items)},
                    {"entries", std::move(entries)}});
        return kOk;
    }
    Table table({"arch", "file", "bytes", "used", "nvrtc", "state"});
    for (const CacheItem& item : items) {
        table.add({item.arch, item.name, std::to_string(item.bytes), time_text(item.used),
                   item.nvrtc.empty() ? "-" : item.nvrtc,
                   item.problem.empty() ? "ok" : item.problem});
    }
    if (!items.empty()) print(table.text());
    note(fmt::format("{} files, {} bytes in {}", items.size(), bytes_of(items),
                     cache.root().string()));
    return kOk;
}

int run_verify(const DiskCache& cache, const Options& options) {
    const std::vector<CacheItem> items = list_cache(cache);
    Json bad = Json::array();
    for (const CacheItem& item : items) {
        if (!item.problem.empty()) bad.push_back(item_json(item));
    }
    const size_t count = bad.size();
    const uint64_t moved = options.quarantine ? quarantine_bad(cache) : 0;
    if (options.json) {
        print_json({{"directory", cache.root().string()},
                    {"checked", items.size()},
                    {"quarantined", moved},
                    {"bad", std::move(bad)}});
    } else {
        for (const CacheItem& item : items) {
            if (item.problem.empty()) continue;
            print(printable(fmt::format("{}/{}: {}\n", item.arch, item.name, item.problem)));
        }
        note(fmt::format("{} of {} files are bad{}", count, items.size(),
                         moved > 0 ? "; moved to tmp/" : ""));
    }
    return count > moved ? kVerificationFailure : kOk;
}

int report(const DiskCache& cache, const PruneResult& result, bool json) {
    if (json) {
        print_json({{"directory", cache.root().string()},
                    {"removed", result.removed},
                    {"removed_bytes", result.removed_bytes},
                    {"kept", result.kept},
                    {"kept_bytes", result.kept_bytes}});
    } else {
        note(fmt::format("removed {} files of {} bytes; {} files of {} bytes are left",
                         result.removed, result.removed_bytes, result.kept, result.kept_bytes));
    }
    return kOk;
}

int run_prune(const DiskCache& cache, const Options& options) {
    const bool by_age = options.older_than != kUnset;
    const uint64_t limit = options.max_bytes != kUnset ? options.max_bytes
                           : by_age                    ? kUnset
                                                       : DiskCache::kDefaultLimit / 5 * 4;
    std::optional<int64_t> age;
    if (by_age) {
        age = static_cast<int64_t>(std::min<uint64_t>(options.older_than, 1'000'000) *
                                   kSecondsPerDay);
    }
    return report(cache, prune_cache(cache, limit, age), options.json);
}

int run_share(const DiskCache& cache, const Options& options) {
    const size_t entries = share_cache(cache, options.output);
    if (options.json) {
        print_json({{"directory", options.output}, {"entries", entries}});
    } else {
        note(fmt::format("wrote {} entries to {}", entries, options.output));
    }
    return kOk;
}

int run_path(const Options& options) {
    const std::string path = default_cache_directory().string();
    if (path.empty()) {
        throw Error(ErrorCode::kIo, "there is no home directory to keep compiled kernels in",
                    "cache", "name a directory with SAGEJIT_CACHE_DIR");
    }
    if (options.json) {
        print_json({{"directory", path}});
    } else {
        print(path + "\n");
    }
    return kOk;
}

int run_cache(const Options& options) {
    if ((options.max_bytes != kUnset || options.older_than != kUnset) &&
        options.action != "prune") {
        throw UsageError("--max-bytes and --older-than are for sagejit cache prune");
    }
    if (options.quarantine && options.action != "verify") {
        throw UsageError("--quarantine is for sagejit cache verify");
    }
    if (options.output.empty() == (options.action == "share")) {
        throw UsageError(options.output.empty() ? "sagejit cache share needs --output"
                                                : "--output is for sagejit cache share");
    }
    if (options.action == "path") return run_path(options);
    const std::filesystem::path directory = default_cache_directory();
    std::error_code error;
    const bool exists = std::filesystem::exists(std::filesystem::symlink_status(directory, error));
    const DiskCache cache(exists ? directory : std::filesystem::path());
    if (exists && !cache.is_usable()) {
        throw Error(ErrorCode::kIo, cache.problem(), "cache",
                    "name a directory of your own with SAGEJIT_CACHE_DIR, mode 700 and not a link");
    }
    if (options.action == "ls") return run_ls(cache, options);
    if (options.action == "verify") return run_verify(cache, options);
    if (options.action == "prune") return run_prune(cache, options);
    if (options.action == "share") return run_share(cache, options);
    return report(cache, clear_cache(cache), options.json);
}

}  // namespace

void add_cache(CommandLine& line) {
    auto options = std::make_shared<Options>();
    Verb verb(line, "cache", "List, check, shrink or clear the cache of compiled kernels");
    verb.choice("ACTION", options->action, "", {"ls", "verify", "prune", "clear", "share", "path"},
                "ls, verify, prune, clear, share or path", Presence::kRequired);
    verb.whole_number("--max-bytes", options->max_bytes, "N",
                      "prune: keep at most this many, the most recently used ones (default: 80 % "
                      "of 1 GiB)");
    verb.whole_number("--older-than", options->older_than, "DAYS",
                      "prune: remove what was not used for so long");
    verb.text("--output", options->output, "DIR",
              "share: a new directory to write for SAGEJIT_SHARED_CACHE_DIR");
    verb.flag("--quarantine", options->quarantine,
              "verify: move bad files to tmp/, where they are kept for an hour");
    verb.json(options->json);
    verb.footer(
        "verify exits with 6 where a file is bad and stays.\n\n"
        "Example:\n"
        "  sagejit cache prune --older-than 30");
    verb.action([options] { return run_cache(*options); });
}

}  // namespace sagejit::cli
