// A host text, compiled and loaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "call.h"
#include "host/grid.h"

namespace sagejit::host {

struct HostModuleOptions {
    std::filesystem::path cache_directory;  // root of the cache; empty: nothing is kept
};

class HostModule {
  public:
    // The kernel of that extern "C" name. Throws Error(kInternal) for an unknown one.
    KernelFunction entry(const std::string& name) const;
    // Launches a kernel: see run_grid, whose errors get the entry as `where`.
    void run(const std::string& name, const abi::Call& call, int64_t ctas, int threads,
             int shared_bytes, uint64_t seed = 0, int cluster = 1) const;

    bool from_cache() const { return from_cache_; }
    double compile_ms() const { return compile_ms_; }  // of the compiler; 0 from the cache
    double load_ms() const { return load_ms_; }        // from the text to here
    // The library, while the module lives.
    const std::filesystem::path& library() const { return library_; }

  private:
    friend HostModule load_host_module(const std::string& text, const HostModuleOptions& options);

    std::shared_ptr<const void> files_;  // the directory of a library that is not in the cache
    std::shared_ptr<void> handle_;       // the loader's; closed before files_ goes
    std::filesystem::path library_;
    bool from_cache_ = false;
    double compile_ms_ = 0;
    double load_ms_ = 0;
};

// Compiles a text (or takes it from the cache), loads it and hands it the host device. The text
// defines extern "C" void sagejit_host_bind(const HostApi*) and its kernels, extern "C" void
// name(Call). Throws Error(kNoHostCompiler), Error(kCompileFailed) with the compiler's messages
// and, as `where`, the text in a file that stays, and Error(kIo) without a temporary directory.
HostModule load_host_module(const std::string& text, const HostModuleOptions& options = {});

}  // namespace sagejit::host
