// Kernels compiled ahead of time, in a file or in memory: docs/explanation/bundles.md.
//
//   sagejit::PrepareOptions options;
//   options.bundles = {sagejit::Bundle::open("kernels.sjb")};
//   options.policy = sagejit::PreparePolicy::kBundleOnly;  // no NVRTC
//   sagejit::Kernel kernel = sagejit::prepare(spec, device, options);
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sagejit/cubin_entry.h"

namespace sagejit {

// Sizes on a GPU for which tuning has found a kernel the fastest.
struct BundleTuning {
    std::string device;  // "NVIDIA H200"
    int multiprocessors = 0;
    std::string compute_capability;          // "9.0"
    int64_t rows = 1, len_q = 1, len_k = 1;  // powers of two; rows: batch * heads_q

    bool operator==(const BundleTuning&) const = default;
};

// What the manifest says about one kernel.
struct BundleKernel {
    std::string name;                  // the config's; free text
    std::string asked;                 // the config as one line of canonical JSON, without name
                                       // and target
    std::string spec;                  // the same with the tiles that the plan decided
    std::string target;                // "sm_90a"
    std::string plan;                  // one line of JSON
    std::string source_hash;           // 32 hex digits
    std::vector<std::string> options;  // NVRTC's
    std::vector<CubinEntry> entries;
    std::vector<BundleTuning> tuned;  // where it is the fastest; empty: nobody has measured
    std::string slow_code;            // spills or serialised wgmma, in words; empty: none
    size_t cubin = 0;                 // its number in the bundle; kernels may share one
    uint64_t cubin_bytes = 0;

    bool operator==(const BundleKernel&) const = default;
};

// A bundle that is open. Copies share it. May be used from many threads at once.
class Bundle {
  public:
    // Opens a file; it stays open. Throws Error(kIo) when it cannot be read or is no regular file,
    // Error(kInvalidInput) when it is not a whole bundle. Cubins are checked when they are used.
    static Bundle open(const std::filesystem::path& file);
    // The same for a file in the directory of the running program; name is relative to it.
    static Bundle open_beside_program(const std::filesystem::path& name);
    // A bundle in memory, which must stay there unchanged for as long as this or a copy exists;
    // kernels prepared from it do not need it. origin names it in messages.
    static Bundle from_memory(std::span<const std::byte> bytes, std::string origin = "memory");

    const std::string& origin() const;  // the file, or the name given
    // 32 hex digits: the checksum of the manifest, which holds those of the cubins. Equal for equal
    // bundles, whatever they are called.
    const std::string& checksum() const;
    const std::string& generator() const;  // what emitted the kernels: generator_id()
    const std::string& nvrtc() const;      // what compiled them, "13.0.88"
    const std::vector<BundleKernel>& kernels() const;

    // The bytes of a kernel's cubin. Throws Error(kIo); Error(kInvalidInput) unless the checksum
    // is right and it is a CUDA ELF file of the kernel's architecture.
    std::vector<uint8_t> cubin(const BundleKernel& kernel) const;
    // Does this for every kernel. Throws for the first that is bad.
    void verify() const;

    struct Contents;  // internal
    explicit Bundle(std::shared_ptr<const Contents> contents) : contents_(std::move(contents)) {}

  private:
    std::shared_ptr<const Contents> contents_;
};

// The bundles linked into the program and its libraries, in the order they are searched. One of a
// library that can be unloaded is good for as long as the library is. Throws Error(kInvalidInput)
// when one is damaged.
std::vector<Bundle> linked_bundles();

}  // namespace sagejit
