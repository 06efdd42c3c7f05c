// The config corpus and the shipped configs, for the tests of the parser.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "configs.h"

namespace sagejit::test {

inline const std::filesystem::path kRoot = source_path(".");

struct File {
    std::string name, text;
};

// The *.json files of one folder, by name.
inline std::vector<File> files_in(const std::filesystem::path& folder) {
    std::vector<File> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".json") continue;
        std::ifstream stream(entry.path(), std::ios::binary);
        files.push_back(
            {entry.path().filename().string(),
             {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()}});
    }
    std::sort(files.begin(), files.end(),
              [](const File& a, const File& b) { return a.name < b.name; });
    return files;
}

// verdict: accept, refuse or refuse_text.
inline std::vector<File> corpus(const std::string& verdict) {
    return files_in(kRoot / "tests/corpus/configs" / verdict);
}

// configs/*.json without the schema.
inline std::vector<File> shipped() {
    std::vector<File> files = files_in(kRoot / "configs");
    std::erase_if(files, [](const File& file) { return file.name == "schema.json"; });
    return files;
}

// Errors repeat foreign text, which must not reach a terminal raw.
inline bool is_printable_ascii(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace sagejit::test
