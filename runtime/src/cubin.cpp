#include "cubin.h"

#include <elf.h>

#include <cstring>

namespace sagejit {
namespace {

// CUDA's ELF flavour moved the architecture from the lowest byte of the flags to the next one with
// ABI version 8: CUDA 12.4 writes the old place, CUDA 13.0 the new one.
constexpr uint8_t kNewFlagsAbi = 8;

}  // namespace

std::optional<int> cubin_arch(std::span<const uint8_t> bytes) {
    Elf64_Ehdr header;
    if (bytes.size() < sizeof header) return std::nullopt;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_CUDA) {
        return std::nullopt;
    }
    const uint64_t table_bytes = uint64_t{header.e_shnum} * header.e_shentsize;
    if (header.e_shoff > bytes.size() || table_bytes > bytes.size() - header.e_shoff) {
        return std::nullopt;
    }
    const bool new_flags = header.e_ident[EI_ABIVERSION] >= kNewFlagsAbi;
    return static_cast<int>((new_flags ? header.e_flags >> 8 : header.e_flags) & 0xff);
}

}  // namespace sagejit
