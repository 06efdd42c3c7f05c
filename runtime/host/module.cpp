#include "host/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "host/api.h"
#include "host/compiler.h"
#include "host/library_cache.h"
#include "sagejit/generator/error.h"

namespace sagejit::host {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// A directory of this process alone, removed with everything in it unless kept.
class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::error_code error;
        std::filesystem::path parent = std::filesystem::temp_directory_path(error);
        if (error) parent = "/tmp";
        std::string name = (parent / "sagejit-XXXXXX").string();
        if (mkdtemp(name.data()) == nullptr) {
            throw Error(ErrorCode::kIo, "no temporary directory can be made", parent.string(),
                        "set $TMPDIR to a directory that can be written");
        }
        path_ = name;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        if (!keep_) std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    const std::filesystem::path& path() const { return path_; }
    void keep() { keep_ = true; }

  private:
    std::filesystem::path path_;
    bool keep_ = false;
};

// How often each library is open. The loader hands out one handle however often a library is
// opened; it is bound the first time only, since kernels may already run the next.
struct OpenLibraries {
    std::mutex mutex;
    std::map<void*, int> count;
};

OpenLibraries& open_libraries() {
    static auto* libraries = new OpenLibraries;
    return *libraries;
}

void close_library(void* handle) {
    OpenLibraries& open = open_libraries();
    const std::lock_guard lock(open.mutex);
    if (--open.count[handle] == 0) open.count.erase(handle);
    dlclose(handle);
}

// Opens and binds a library. Returns nothing and says why where that fails.
std::shared_ptr<void> open_library(const std::filesystem::path& path, std::string& problem) {
    OpenLibraries& open = open_libraries();
    const std::lock_guard lock(open.mutex);
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        problem = dlerror();
        return {};
    }
    using Bind = void (*)(const abi::HostApi*);
    const auto bind = reinterpret_cast<Bind>(dlsym(handle, "sagejit_host_bind"));
    if (bind == nullptr) {
        problem = "has no sagejit_host_bind";
        dlclose(handle);
        return {};
    }
    if (++open.count[handle] == 1) bind(&host_api);
    return {handle, close_library};
}

void write_source(const std::filesystem::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text << std::flush;
    if (!file) {
        throw Error(ErrorCode::kIo, "cannot be written", path.string(),
                    "set $TMPDIR to a directory with space");
    }
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += word + ' ';
    return text;
}

}  // namespace

HostModule load_host_module(const std::string& text, const HostModuleOptions& options) {
    const Clock::time_point start = Clock::now();
    const HostCompiler compiler = find_host_compiler();
    const LibraryCache cache(options.cache_directory);
    const std::string key = library_key(joined({compiler.version, joined(compiler.arguments)}),
                                        joined(host_compiler_flags()), text);
    HostModule module;
    std::string problem;
    if (const auto cached = cache.find(key)) {
        module.handle_ = open_library(*cached, problem);
        module.library_ = *cached;
        module.from_cache_ = module.handle_ != nullptr;
        if (!module.from_cache_) cache.remove(key);
    }
    if (!module.from_cache_) {
        const auto directory = std::make_shared<TemporaryDirectory>();
        const std::filesystem::path source = directory->path() / "kernel.cpp";
        module.library_ = directory->path() / "kernel.so";
        write_source(source, text);
        const Clock::time_point compile_start = Clock::now();
        try {
            compile_host_source(compiler, source, module.library_);
        } catch (const Error&) {
            directory->keep();
            throw;
        }
        module.compile_ms_ = milliseconds_since(compile_start);
        // From the cache if possible: sanitizers look for lines in the file for as long as it runs.
        if (const auto kept = cache.publish(key, module.library_)) {
            module.handle_ = open_library(*kept, problem);
            if (module.handle_) module.library_ = *kept;
        }
        if (!module.handle_) {
            module.files_ = directory;
            module.handle_ = open_library(module.library_, problem);
        }
        if (!module.handle_) {
            directory->keep();
            throw Error(ErrorCode::kCompileFailed, "the compiled kernels do not load: " + problem,
                        source.string());
        }
    }
    module.load_ms_ = milliseconds_since(start);
    return module;
}

KernelFunction HostModule::entry(const std::string& name) const {
    void* symbol = dlsym(handle_.get(), name.c_str());
    if (symbol == nullptr) {
        throw Error(ErrorCode::kInternal, "the compiled text has no kernel of this name", name);
    }
    return reinterpret_cast<KernelFunction>(symbol);
}

void HostModule::run(const std::string& name, const abi::Call& call, int64_t ctas, int threads,
                     int shared_bytes, uint64_t seed, int cluster) const {
    const KernelFunction kernel = entry(name);
    try {
        run_grid(kernel, call, ctas, threads, shared_bytes, seed, cluster);
    } catch (const Error& error) {
        throw Error(error.code(), error.message(), name, error.fix());
    }
}

}  // namespace sagejit::host
