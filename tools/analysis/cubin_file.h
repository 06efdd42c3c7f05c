// What a cubin holds, read from its ELF structure. The file is treated as hostile: everything is
// checked against its size.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sagejit::analysis {

struct CubinKernel {
    std::string symbol;
    int registers = 0;              // per thread
    int max_threads = 0;            // per CTA, as __launch_bounds__ says; 0: not said
    int stack_bytes = 0;            // per thread; above 0 where registers were spilled
    int static_shared_bytes = 0;    // per CTA
    std::span<const uint8_t> code;  // within the bytes that were read
};

struct CubinFile {
    int arch = 0;                      // 90 for sm_90 and sm_90a
    std::vector<CubinKernel> kernels;  // by symbol
};

// Reads a cubin; the bytes must outlive the result. Throws Error(kInvalidInput) for anything else
// and for a damaged one; origin names it in errors.
CubinFile read_cubin(std::span<const uint8_t> bytes, const std::string& origin);

}  // namespace sagejit::analysis
