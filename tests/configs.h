// The shipped configs, as tests see them.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "sagejit/generator/spec.h"

namespace sagejit::test {

// A file of the repository: where it was built, or below $SAGEJIT_SOURCE_DIR for executables that
// were carried to another machine.
inline std::filesystem::path source_path(const std::string& relative) {
    const char* moved = std::getenv("SAGEJIT_SOURCE_DIR");
    return std::filesystem::path(moved != nullptr ? moved : SAGEJIT_SOURCE_DIR) / relative;
}

// The whole file. Throws std::runtime_error where it cannot be read: a missing file is a failure.
inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Names (without .json) of configs/*.json but the schema, sorted.
inline std::vector<std::string> shipped_config_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(source_path("configs"))) {
        const std::filesystem::path& path = entry.path();
        if (path.extension() == ".json" && path.stem() != "schema") names.push_back(path.stem());
    }
    std::sort(names.begin(), names.end());
    return names;
}

inline Spec shipped_config(const std::string& name) {
    const std::string file = "configs/" + name + ".json";
    return parse_spec(read_file(source_path(file)), file);
}

}  // namespace sagejit::test
