// Cubins as the stubs read and write them: a CUDA ELF file with one .text section a kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sagejit::stub {

struct CubinKernel {
    std::string name;
    size_t parameter_bytes = 0;
};

struct CubinFile {
    int arch = 0;  // 90
    std::vector<CubinKernel> kernels;
};

// False for bytes that are not a whole cubin. The size is told by the file itself, since
// cuLibraryLoadData is told none.
bool read_cubin(const void* data, CubinFile& file);

// A cubin with empty kernels, `padding` bytes longer than it must be.
std::string write_cubin(const CubinFile& file, size_t padding = 0);

}  // namespace sagejit::stub
