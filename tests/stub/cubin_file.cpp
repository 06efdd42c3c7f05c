#include "cubin_file.h"

#include <elf.h>

#include <cstring>

namespace sagejit::stub {
namespace {

constexpr uint8_t kAbi = 8;  // puts the architecture into the second byte of the flags
constexpr std::string_view kText = ".text.";
constexpr std::string_view kInfo = ".nv.info.";
// Records of .nv.info: a format, an attribute, then two bytes of value or the size of what follows.
constexpr uint8_t kShortValue = 3, kSizedValue = 4;
constexpr uint8_t kParameterSize = 0x19;

size_t parameter_bytes(const uint8_t* info, size_t size) {
    for (size_t at = 0; at + 4 <= size;) {
        uint16_t value = 0;
        std::memcpy(&value, info + at + 2, sizeof value);
        if (info[at] == kShortValue && info[at + 1] == kParameterSize) return value;
        at += 4 + (info[at] == kSizedValue ? (value + 3u) / 4 * 4 : 0);
    }
    return 0;
}

template <typename Record>
void append(std::string& bytes, const Record& record) {
    bytes.append(reinterpret_cast<const char*>(&record), sizeof record);
}

}  // namespace

bool read_cubin(const void* data, CubinFile& file) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    Elf64_Ehdr header;
    std::memcpy(&header, bytes, sizeof header);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_machine != EM_CUDA ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_shentsize != sizeof(Elf64_Shdr)) {
        return false;
    }
    const bool new_flags = header.e_ident[EI_ABIVERSION] >= kAbi;
    file.arch = static_cast<int>((new_flags ? header.e_flags >> 8 : header.e_flags) & 0xff);
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    std::memcpy(sections.data(), bytes + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));
    if (header.e_shstrndx >= sections.size()) return sections.empty();
    const char* names =
        reinterpret_cast<const char*>(bytes) + sections[header.e_shstrndx].sh_offset;
    for (const Elf64_Shdr& section : sections) {
        const std::string_view name = names + section.sh_name;
        if (name.starts_with(kText)) {
            file.kernels.push_back({std::string(name.substr(kText.size())), 0});
        }
    }
    for (const Elf64_Shdr& section : sections) {
        const std::string_view name = names + section.sh_name;
        for (CubinKernel& kernel : file.kernels) {
            if (name.starts_with(kInfo) && name.substr(kInfo.size()) == kernel.name) {
                kernel.parameter_bytes =
                    parameter_bytes(bytes + section.sh_offset, section.sh_size);
            }
        }
    }
    return true;
}

std::string write_cubin(const CubinFile& file, size_t padding) {
    std::string names(1, '\0');
    std::vector<Elf64_Shdr> sections(1);  // the first is empty
    std::string body;
    const auto add = [&](const std::string& name, uint32_t type, const std::string& content) {
        Elf64_Shdr section{};
        section.sh_name = static_cast<uint32_t>(names.size());
        section.sh_type = type;
        section.sh_offset = sizeof(Elf64_Ehdr) + body.size();
        section.sh_size = content.size();
        section.sh_addralign = 4;
        names += name + '\0';
        body += content;
        body.resize((body.size() + 7) / 8 * 8);
        sections.push_back(section);
    };
    for (const CubinKernel& kernel : file.kernels) {
        std::string info = {kShortValue, kParameterSize};
        append(info, static_cast<uint16_t>(kernel.parameter_bytes));
        add(std::string(kInfo) + kernel.name, SHT_LOPROC, info);
        add(std::string(kText) + kernel.name, SHT_PROGBITS, std::string(16, '\0'));
    }
    add(".padding", SHT_PROGBITS, std::string(padding, 'p'));
    const size_t table = sections.size();
    add(".shstrtab", SHT_STRTAB, std::string());
    sections[table].sh_offset = sizeof(Elf64_Ehdr) + body.size();
    sections[table].sh_size = names.size();
    body += names;
    body.resize((body.size() + 7) / 8 * 8);

    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_ident[EI_OSABI] = 0x41;
    header.e_ident[EI_ABIVERSION] = kAbi;
    header.e_type = ET_EXEC;
    header.e_machine = EM_CUDA;
    header.e_version = EV_CURRENT;
    header.e_shoff = sizeof header + body.size();
    header.e_flags = static_cast<uint32_t>(file.arch) << 8;
    header.e_ehsize = sizeof header;
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = static_cast<uint16_t>(sections.size());
    header.e_shstrndx = static_cast<uint16_t>(table);

    std::string bytes;
    append(bytes, header);
    bytes += body;
    for (const Elf64_Shdr& section : sections) append(bytes, section);
    return bytes;
}

}  // namespace sagejit::stub
