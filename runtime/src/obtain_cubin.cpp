#include "obtain_cubin.h"

#include <cstdlib>
#include <future>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cache_directory.h"
#include "disk_cache.h"
#include "nvrtc_api.h"

namespace sagejit {
namespace {

using SharedCubin = std::shared_ptr<const CompiledCubin>;
using FutureCubin = std::shared_future<SharedCubin>;

// Compilations under way, those that failed, and results no disk holds; by directory and digest.
struct Flights {
    std::mutex mutex;
    std::unordered_map<std::string, FutureCubin> by_key;
};

// Never destroyed: a thread may still compile while the process exits.
Flights& flights() {
    static Flights* instance = new Flights;
    return *instance;
}

CacheKey make_key(const std::string& source, std::string_view generator, std::string_view arch) {
    const NvrtcInfo& nvrtc = nvrtc_api().info;
    std::vector<std::string> options = compile_options(nvrtc, arch);
    // NVRTC reads more options from the environment.
    if (const char* more = std::getenv("NVRTC_APPEND_FLAGS")) {
        options.push_back(std::string("NVRTC_APPEND_FLAGS=") + more);
    }
    return make_cache_key(source, generator, arch, options, nvrtc.version());
}

// Where compiling is not allowed.
ObtainedCubin find_in_cache(const DiskCache& cache, const CacheKey& key) {
    if (auto found = cache.find(key)) {
        return {std::make_shared<const CompiledCubin>(*std::move(found)), true, 0};
    }
    throw Error(ErrorCode::kNotBuilt,
                cache.is_usable() ? "holds no kernel of this source, NVRTC version and options"
                                  : cache.problem(),
                "cache " + cache.root().string());
}

// What one flight brings home.
struct Landing {
    SharedCubin cubin;
    bool from_cache = false;
    bool on_disk = false;
};

Landing find_or_compile(const DiskCache& cache, const CacheKey& key, const std::string& source,
                        const std::string& name) {
    if (auto found = cache.find(key)) {
        return {std::make_shared<const CompiledCubin>(*std::move(found)), true, true};
    }
    auto cubin = std::make_shared<const CompiledCubin>(
        compile_cubin(source, key.arch, name, cache.dump_directory()));
    // The bytes in hand are used, never read back.
    const bool on_disk = cache.publish(key, *cubin);
    return {std::move(cubin), false, on_disk};
}

}  // namespace

ObtainedCubin obtain_cubin(const std::string& source, std::string_view generator,
                           std::string_view arch, const std::string& name,
                           const PrepareOptions& options) {
    if (!options.use_cache) {
        auto cubin = std::make_shared<const CompiledCubin>(compile_cubin(source, arch, name));
        return {cubin, false, cubin->milliseconds};
    }
    const CacheKey key = make_key(source, generator, arch);
    const std::filesystem::path root =
        options.cache_directory.empty() ? default_cache_directory() : options.cache_directory;
    const std::string flight = key.digest + " " + root.string();

    Flights& all = flights();
    std::promise<SharedCubin> promise;
    {
        std::unique_lock lock(all.mutex);
        if (const auto found = all.by_key.find(flight); found != all.by_key.end()) {
            const FutureCubin future = found->second;
            lock.unlock();
            return {future.get(), true, 0};
        }
        if (options.policy != PreparePolicy::kJit) {
            lock.unlock();
            return find_in_cache(DiskCache(root), key);
        }
        all.by_key.emplace(flight, promise.get_future().share());
    }
    const auto forget = [&all, &flight] {
        const std::lock_guard lock(all.mutex);
        all.by_key.erase(flight);
    };
    try {
        const Landing landing = find_or_compile(DiskCache(root), key, source, name);
        promise.set_value(landing.cubin);
        if (landing.on_disk) forget();
        return {landing.cubin, landing.from_cache,
                landing.from_cache ? 0 : landing.cubin->milliseconds};
    } catch (const Error& error) {
        promise.set_exception(std::current_exception());
        // The same source fails the same way again; anything else may pass.
        if (error.code() != ErrorCode::kCompileFailed) forget();
        throw;
    } catch (...) {
        promise.set_exception(std::current_exception());
        forget();
        throw;
    }
}

}  // namespace sagejit
