#include "analysis/cubin_file.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

#include "cubin.h"
#include "sagejit/generator/error.h"

namespace sagejit::analysis {
namespace {

constexpr std::string_view kTextPrefix = ".text.", kInfoPrefix = ".nv.info.",
                           kSharedPrefix = ".nv.shared.", kInfo = ".nv.info";
// Attributes of .nv.info sections: a byte of format, a byte of name, then by format nothing, a
// byte, two bytes, or a length of two bytes and so many bytes.
constexpr uint8_t kFormatSized = 4;
constexpr uint8_t kMaxThreads = 0x05, kFrameSize = 0x11, kRegisterCount = 0x2f;
constexpr int kRegisterShift = 24;  // in a text section's sh_info, where there is no attribute

class Elf {
  public:
    Elf(std::span<const uint8_t> bytes, const std::string& origin)
        : bytes_(bytes), origin_(origin) {
        if (!cubin_arch(bytes)) refuse("is not a cubin");
        header_ = at<Elf64_Ehdr>(0);
        if (header_.e_shentsize != sizeof(Elf64_Shdr)) refuse("has sections of an unknown size");
        for (size_t i = 0; i < header_.e_shnum; ++i) {
            sections_.push_back(at<Elf64_Shdr>(header_.e_shoff + i * sizeof(Elf64_Shdr)));
        }
        if (header_.e_shstrndx >= sections_.size()) refuse("has no section names");
    }

    [[noreturn]] void refuse(const std::string& message) const {
        throw Error(ErrorCode::kInvalidInput, message, origin_,
                    "name a cubin of sm_80 or newer, as sagejit compile writes it");
    }

    const std::vector<Elf64_Shdr>& sections() const { return sections_; }

    std::span<const uint8_t> contents(const Elf64_Shdr& section) const {
        if (section.sh_type == SHT_NOBITS) return {};
        if (section.sh_offset > bytes_.size() ||
            section.sh_size > bytes_.size() - section.sh_offset) {
            refuse("is truncated: a section reaches past its end");
        }
        return bytes_.subspan(section.sh_offset, section.sh_size);
    }

    std::string_view name(const Elf64_Shdr& section) const {
        return string_at(sections_[header_.e_shstrndx], section.sh_name);
    }

    std::string_view string_at(const Elf64_Shdr& table, uint64_t offset) const {
        const std::span<const uint8_t> strings = contents(table);
        if (offset >= strings.size()) refuse("is damaged: a name lies outside its table");
        const auto* begin = reinterpret_cast<const char*>(strings.data()) + offset;
        return {begin, ::strnlen(begin, strings.size() - offset)};
    }

    // The name of symbol number `index`.
    std::string_view symbol(uint32_t index) const {
        for (const Elf64_Shdr& section : sections_) {
            if (section.sh_type != SHT_SYMTAB) continue;
            const std::span<const uint8_t> table = contents(section);
            if (section.sh_link >= sections_.size() || index >= table.size() / sizeof(Elf64_Sym)) {
                break;
            }
            Elf64_Sym symbol;
            std::memcpy(&symbol, table.data() + index * sizeof symbol, sizeof symbol);
            return string_at(sections_[section.sh_link], symbol.st_name);
        }
        return {};
    }

  private:
    template <class T>
    T at(uint64_t offset) const {
        if (offset > bytes_.size() || sizeof(T) > bytes_.size() - offset) refuse("is truncated");
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }

    std::span<const uint8_t> bytes_;
    const std::string& origin_;
    Elf64_Ehdr header_{};
    std::vector<Elf64_Shdr> sections_;
};

// Calls visit(attribute, words) for each attribute that has 32-bit words.
template <class Visit>
void for_each_attribute(std::span<const uint8_t> info, const Visit& visit) {
    size_t position = 0;
    while (position + 4 <= info.size()) {
        const uint8_t format = info[position], attribute = info[position + 1];
        uint16_t size = 0;
        std::memcpy(&size, info.data() + position + 2, sizeof size);
        position += 4;
        if (format != kFormatSized) continue;  // its value was in the two bytes of the size
        if (size > info.size() - position) return;
        std::vector<uint32_t> words(size / 4);
        std::memcpy(words.data(), info.data() + position, words.size() * 4);
        visit(attribute, words);
        position += size;
    }
}

int as_int(uint64_t value) {
    constexpr uint64_t kLargest = 1 << 30;
    return static_cast<int>(std::min(value, kLargest));
}

}  // namespace

CubinFile read_cubin(std::span<const uint8_t> bytes, const std::string& origin) {
    const Elf elf(bytes, origin);
    CubinFile file;
    file.arch = *cubin_arch(bytes);
    std::map<std::string, CubinKernel, std::less<>> kernels;
    for (const Elf64_Shdr& section : elf.sections()) {
        const std::string_view name = elf.name(section);
        if (!name.starts_with(kTextPrefix)) continue;
        CubinKernel& kernel = kernels[std::string(name.substr(kTextPrefix.size()))];
        kernel.symbol = name.substr(kTextPrefix.size());
        kernel.code = elf.contents(section);
        kernel.registers = static_cast<int>(section.sh_info >> kRegisterShift);
    }
    const auto find = [&](std::string_view symbol) {
        const auto found = kernels.find(symbol);
        return found != kernels.end() ? &found->second : nullptr;
    };
    for (const Elf64_Shdr& section : elf.sections()) {
        const std::string_view name = elf.name(section);
        if (name.starts_with(kSharedPrefix)) {
            CubinKernel* kernel = find(name.substr(kSharedPrefix.size()));
            if (kernel != nullptr) kernel->static_shared_bytes = as_int(section.sh_size);
        } else if (name.starts_with(kInfoPrefix)) {
            CubinKernel* kernel = find(name.substr(kInfoPrefix.size()));
            if (kernel == nullptr) continue;
            for_each_attribute(elf.contents(section), [&](uint8_t attribute, const auto& words) {
                if (attribute != kMaxThreads || words.size() < 3) return;
                kernel->max_threads =
                    as_int(uint64_t{words[0]} * std::max(words[1], 1u) * std::max(words[2], 1u));
            });
        } else if (name == kInfo) {
            for_each_attribute(elf.contents(section), [&](uint8_t attribute, const auto& words) {
                if (words.size() < 2) return;
                if (attribute != kRegisterCount && attribute != kFrameSize) return;
                CubinKernel* kernel = find(elf.symbol(words[0]));
                if (kernel == nullptr) return;
                (attribute == kRegisterCount ? kernel->registers : kernel->stack_bytes) =
                    as_int(words[1]);
            });
        }
    }
    for (auto& [symbol, kernel] : kernels) file.kernels.push_back(std::move(kernel));
    return file;
}

}  // namespace sagejit::analysis
