#include "obtain_cubin.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cache_directory.h"
#include "disk_cache.h"
#include "fork_safe.h"
#include "known_nvrtc.h"
#include "nvrtc_api.h"
#include "shared_cache.h"
#include "single_flight.h"

namespace sagejit {
namespace {

using SharedCubin = std::shared_ptr<const CompiledCubin>;

// What one flight brings home.
struct Landing {
    SharedCubin cubin;
    bool from_cache = false;
};
using Flights = SingleFlight<Landing>;

// Sources NVRTC refused, and cubins that no disk holds; by directory and digest.
struct Memory {
    struct Item {
        SharedCubin cubin;
        std::exception_ptr refusal;
    };
    std::mutex mutex;
    std::unordered_map<std::string, Item> items;

    void keep(const std::string& key, Item item) {
        const std::lock_guard lock(mutex);
        items[key] = std::move(item);
    }
    // Throws the refusal where there is one; null where nothing is kept.
    SharedCubin recall(const std::string& key) {
        const std::lock_guard lock(mutex);
        const auto found = items.find(key);
        if (found == items.end()) return nullptr;
        if (found->second.refusal) std::rethrow_exception(found->second.refusal);
        return found->second.cubin;
    }
};

CacheKey make_key(const std::string& source, std::string_view generator, std::string_view arch,
                  const NvrtcInfo& nvrtc) {
    std::vector<std::string> options = compile_options(nvrtc, arch);
    // NVRTC reads more options from the environment.
    if (const char* more = std::getenv("NVRTC_APPEND_FLAGS")) {
        options.push_back(std::string(kEnvironmentFlags) + more);
    }
    return make_cache_key(source, generator, arch, options, nvrtc.version());
}

// What is there; null where it would have to be compiled.
SharedCubin find_made(const DiskCache& cache, const CacheKey& key, const std::string& memory_key) {
    if (SharedCubin kept = fork_safe<Memory>().recall(memory_key)) return kept;
    if (auto found = cache.find(key)) {
        return std::make_shared<const CompiledCubin>(*std::move(found));
    }
    if (auto found = SharedCache(SharedCache::default_directory()).find(key)) {
        return std::make_shared<const CompiledCubin>(*std::move(found));
    }
    return nullptr;
}

// The NVRTCs of which this process has seen work. Looking through a cache for them takes a read of
// each entry, so what it came to is kept.
struct SeenToolkits {
    std::mutex mutex;
    std::vector<NvrtcInfo> infos;

    std::vector<NvrtcInfo> all() {
        const std::lock_guard lock(mutex);
        return infos;
    }
    void add(const NvrtcInfo& info) {
        const std::lock_guard lock(mutex);
        const auto same = [&info](const NvrtcInfo& each) {
            return each.version() == info.version() && each.options == info.options;
        };
        if (std::none_of(infos.begin(), infos.end(), same)) infos.push_back(info);
    }
};

std::string flight_of(const CacheKey& key, const std::filesystem::path& root) {
    return key.digest + " " + root.string();
}

// A key takes the version of NVRTC, and NVRTC is not opened: whichever made what is there will do.
ObtainedCubin find_without_nvrtc(const std::filesystem::path& root, const std::string& source,
                                 std::string_view generator, std::string_view arch) {
    const DiskCache cache(root);
    const auto find = [&](const std::vector<NvrtcInfo>& toolkits) -> SharedCubin {
        for (const NvrtcInfo& nvrtc : toolkits) {
            const CacheKey key = make_key(source, generator, arch, nvrtc);
            SharedCubin found = find_made(cache, key, flight_of(key, root));
            if (found == nullptr) continue;
            fork_safe<SeenToolkits>().add(nvrtc);
            return found;
        }
        return nullptr;
    };
    SharedCubin found = find(fork_safe<SeenToolkits>().all());
    if (found == nullptr) found = find(cache.toolkits(std::string(arch)));
    if (found == nullptr) {
        found = find(SharedCache(SharedCache::default_directory()).toolkits(std::string(arch)));
    }
    if (found != nullptr) return {std::move(found), true, 0, {}};
    throw Error(ErrorCode::kNotBuilt,
                cache.is_usable() ? "holds no kernel of this source and options" : cache.problem(),
                "cache " + cache.root().string());
}

Landing find_or_compile(const DiskCache& cache, const CacheKey& key, const std::string& source,
                        const std::string& name, const std::string& memory_key,
                        std::stop_token stop) {
    if (SharedCubin found = find_made(cache, key, memory_key)) return {std::move(found), true};
    SharedCubin cubin;
    try {
        cubin = std::make_shared<const CompiledCubin>(
            compile_cubin(source, key.arch, name, cache.dump_directory(), std::move(stop)));
    } catch (const SourceRefused&) {
        // It fails the same way again; anything else may pass.
        fork_safe<Memory>().keep(memory_key, {nullptr, std::current_exception()});
        throw;
    }
    // The bytes in hand are used, never read back.
    if (!cache.publish(key, *cubin)) fork_safe<Memory>().keep(memory_key, {cubin, nullptr});
    return {std::move(cubin), false};
}

// A flight of its own: with the cache off, every call compiles.
Landing compile_alone(const std::string& source, std::string_view arch, const std::string& name,
                      const Patience& patience) {
    static std::atomic<uint64_t> number = 0;
    const auto compile = [source, arch = std::string(arch), name](std::stop_token stop) {
        return Landing{std::make_shared<const CompiledCubin>(
                           compile_cubin(source, arch, name, {}, std::move(stop))),
                       false};
    };
    bool first = false;
    return fork_safe<Flights>().run(fmt::format("alone {}", ++number), patience, compile, first);
}

}  // namespace

ObtainedCubin obtain_cubin(const std::string& source, std::string_view generator,
                           std::string_view arch, const std::string& name,
                           const PrepareOptions& options) {
    const Patience patience{options.deadline, options.stop};
    if (!options.use_cache) {
        const Landing landing = compile_alone(source, arch, name, patience);
        return {landing.cubin, false, landing.cubin->milliseconds, nvrtc_api().info};
    }
    const std::filesystem::path root =
        options.cache_directory.empty() ? default_cache_directory() : options.cache_directory;
    if (options.policy != PreparePolicy::kJit) {
        return find_without_nvrtc(root, source, generator, arch);
    }
    const DiskCache cache(root);
    if (const NvrtcInfo* known = known_nvrtc(cache)) {
        const CacheKey key = make_key(source, generator, arch, *known);
        if (SharedCubin found = find_made(cache, key, flight_of(key, root))) {
            fork_safe<SeenToolkits>().add(*known);
            return {std::move(found), true, 0, *known};
        }
    }
    // From here on it counts what NVRTC itself says.
    const bool was_open = nvrtc_is_open();
    const NvrtcApi& api = nvrtc_api();
    const NvrtcInfo& nvrtc = api.info;
    fork_safe<SeenToolkits>().add(nvrtc);
    const CacheKey key = make_key(source, generator, arch, nvrtc);
    const std::string flight = flight_of(key, root);
    const auto fly = [=](std::stop_token stop) {
        return find_or_compile(DiskCache(root), key, source, name, flight, std::move(stop));
    };
    bool first = false;
    const Landing landing = fork_safe<Flights>().run(flight, patience, fly, first);
    const bool compiled = first && !landing.from_cache;
    if (!was_open) remember_nvrtc(cache, api);
    return {landing.cubin, !compiled, compiled ? landing.cubin->milliseconds : 0, nvrtc};
}

}  // namespace sagejit
