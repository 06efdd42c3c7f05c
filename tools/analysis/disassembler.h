// NVIDIA's disassembler, where one is installed.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/sass.h"

namespace sagejit::analysis {

struct Disassembly {
    std::string tool;     // the program that made it; empty: there is none, or it failed
    std::string problem;  // why it failed; empty where none was found or all went well
    std::vector<DisassembledKernel> kernels;
};

// Runs nvdisasm, else cuobjdump: those of $PATH, then of $CUDA_HOME, $CUDA_PATH and
// /usr/local/cuda. Writes the cubin to a temporary file. Throws nothing but std::bad_alloc.
Disassembly disassemble(std::span<const uint8_t> cubin);

}  // namespace sagejit::analysis
