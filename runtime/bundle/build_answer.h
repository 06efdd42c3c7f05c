// What a worker of a build sends back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compile_cubin.h"
#include "sagejit/generator/error.h"

namespace sagejit {

struct BuildAnswer {
    std::optional<Error> error;  // and then nothing else
    CompiledCubin cubin;         // without its log
    bool from_cache = false;
    double compile_ms = 0;
    std::string nvrtc;  // version
    std::vector<std::string> options, libraries;
};

// Bytes between two processes of the same program.
std::string encode_answer(const BuildAnswer& answer);
// An answer that is none comes back as one with Error(kInternal).
BuildAnswer decode_answer(std::string_view bytes);

}  // namespace sagejit
