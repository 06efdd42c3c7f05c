#include "nvrtc_search.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace sagejit {
namespace {

namespace fs = std::filesystem;

// Newest first. The soname carries the major version only.
constexpr std::array<std::string_view, 2> kNames = {"libnvrtc.so.13", "libnvrtc.so.12"};

// Where pip's wheels keep their libraries, below a packages directory: CUDA 13, then CUDA 12.
constexpr std::array<std::string_view, 2> kWheels = {"nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib"};

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

class Collector {
  public:
    explicit Collector(std::vector<SearchedPlace>& searched) : searched_(searched) {}

    void add_name(std::string name) { candidates_.push_back(std::move(name)); }

    void add_directory(const fs::path& directory) {
        std::error_code error;
        if (!fs::is_directory(directory, error)) {
            searched_.push_back({directory.string(), "no such directory"});
            return;
        }
        for (std::string_view name : kNames) candidates_.push_back((directory / name).string());
    }

    // Adds the wheels below prefix/lib/python3*/<packages>, newest Python first.
    void add_wheels(const fs::path& prefix, std::string_view packages) {
        std::vector<fs::path> roots;
        std::error_code error;
        for (fs::directory_iterator it(prefix / "lib", error), end; !error && it != end;
             it.increment(error)) {
            const std::string name = it->path().filename().string();
            if (name.starts_with("python3")) roots.push_back(it->path() / packages);
        }
        std::sort(roots.rbegin(), roots.rend());
        bool found = false;
        for (const fs::path& root : roots) {
            for (std::string_view wheel : kWheels) {
                if (!fs::is_directory(root / wheel, error)) continue;
                found = true;
                add_directory(root / wheel);
            }
        }
        if (found) return;
        const fs::path pattern = prefix / "lib" / "python3*" / packages / "nvidia/*/lib";
        searched_.push_back({pattern.string(), "no NVRTC wheel"});
    }

    std::vector<std::string> take() { return std::move(candidates_); }

  private:
    std::vector<SearchedPlace>& searched_;
    std::vector<std::string> candidates_;
};

}  // namespace

std::vector<std::string> nvrtc_candidates(std::vector<SearchedPlace>& searched) {
    Collector places(searched);
    if (std::string named = environment("SAGEJIT_NVRTC"); !named.empty()) {
        places.add_name(std::move(named));
        return places.take();
    }
    for (std::string_view name : kNames) places.add_name(std::string(name));
    for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
        const std::string root = environment(variable);
        if (!root.empty()) places.add_directory(fs::path(root) / "lib64");
    }
    places.add_directory("/usr/local/cuda/lib64");

    if (const std::string root = environment("VIRTUAL_ENV"); !root.empty()) {
        places.add_wheels(root, "site-packages");
    }
    if (const std::string root = environment("CONDA_PREFIX"); !root.empty()) {
        places.add_directory(fs::path(root) / "lib");
        places.add_wheels(root, "site-packages");
    }
    if (const std::string home = environment("HOME"); !home.empty()) {
        places.add_wheels(fs::path(home) / ".local", "site-packages");
    }
    places.add_wheels("/usr", "dist-packages");
    places.add_wheels("/usr/local", "dist-packages");
    places.add_wheels("/usr/local", "site-packages");
    return places.take();
}

}  // namespace sagejit
