#include "analysis/sass.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>

#include "analysis/opcodes.h"

namespace sagejit::analysis {
namespace {

constexpr size_t kInstructionBytes = 16;
constexpr uint64_t kOpcodeMask = 0x1ff;
constexpr int kBranch = 0x147;
constexpr int kSplitOffsetArch = 90;  // from here on a branch's offset is in two places

// Where a relative branch goes. The offset counts from the next instruction, in words of 4 bytes.
uint64_t branch_target(uint64_t address, uint64_t low, uint64_t high, int arch) {
    // 48 bits from bit 34 on, signed.
    constexpr int kLowShift = 34, kFieldBits = 48;
    const uint64_t field = (low >> kLowShift | high << (64 - kLowShift)) << (64 - kFieldBits);
    int64_t offset = static_cast<int64_t>(field) >> (64 - kFieldBits);
    if (arch >= kSplitOffsetArch) {
        offset = static_cast<int64_t>(static_cast<uint64_t>(offset) << 8 | (low >> 16 & 0xff));
    }
    return address + kInstructionBytes + static_cast<uint64_t>(offset) * 4;
}

std::optional<uint64_t> parse_hex(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    if (error != std::errc() || end == text.data()) return std::nullopt;
    return value;
}

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// "@!P0 BRA `(.L_x_1) ;" without its predicate.
std::string_view without_predicate(std::string_view text) {
    if (!text.starts_with('@')) return text;
    const size_t space = text.find(' ');
    return space == std::string_view::npos ? std::string_view() : trimmed(text.substr(space));
}

// A kernel while it is read: branches to labels wait for the labels' addresses.
struct PendingKernel {
    DisassembledKernel kernel;
    std::map<std::string, uint64_t, std::less<>> labels;
    std::vector<std::pair<size_t, std::string>> branches;  // instruction, label
    std::vector<std::string> open_labels;                  // that name the next instruction

    void add(uint64_t address, std::string_view text) {
        for (std::string& label : open_labels) labels[std::move(label)] = address;
        open_labels.clear();
        text = without_predicate(text);
        const std::string_view mnemonic = text.substr(0, text.find_first_of(" ;"));
        if (mnemonic.empty()) return;
        Instruction instruction{address, std::string(mnemonic), std::nullopt};
        if (mnemonic.starts_with("BRA")) {
            const size_t label = text.find("`(");
            const size_t hex = text.rfind("0x");
            if (label != std::string_view::npos) {
                const std::string_view name = text.substr(label + 2);
                branches.emplace_back(kernel.instructions.size(), name.substr(0, name.find(')')));
            } else if (hex != std::string_view::npos) {
                instruction.target = parse_hex(text.substr(hex + 2));
            }
        }
        kernel.instructions.push_back(std::move(instruction));
    }

    DisassembledKernel finish() {
        for (const auto& [index, label] : branches) {
            const auto found = labels.find(label);
            if (found != labels.end()) kernel.instructions[index].target = found->second;
        }
        return std::move(kernel);
    }
};

}  // namespace

std::vector<Instruction> decode_instructions(std::span<const uint8_t> code, int arch) {
    std::vector<Instruction> instructions;
    for (uint64_t address = 0; address + kInstructionBytes <= code.size();
         address += kInstructionBytes) {
        uint64_t words[2];
        std::memcpy(words, code.data() + address, sizeof words);
        const int opcode = static_cast<int>(words[0] & kOpcodeMask);
        const Opcode* known = find_opcode(opcode);
        Instruction instruction{
            address, known != nullptr ? std::string(known->mnemonic) : fmt::format("{:#x}", opcode),
            std::nullopt};
        // One opcode changed its meaning.
        constexpr int kReused = 0x035, kReusedArch = 100;
        if (opcode == kReused && arch < kReusedArch) instruction.mnemonic = "HFMA2";
        if (opcode == kBranch) {
            instruction.target = branch_target(address, words[0], words[1], arch);
        }
        instructions.push_back(std::move(instruction));
    }
    return instructions;
}

std::vector<DisassembledKernel> parse_disassembly(std::string_view text) {
    std::vector<DisassembledKernel> kernels;
    std::optional<PendingKernel> pending;
    const auto finish = [&] {
        if (pending && !pending->kernel.instructions.empty()) kernels.push_back(pending->finish());
        pending.reset();
    };
    while (!text.empty()) {
        const size_t newline = text.find('\n');
        const std::string_view line = trimmed(text.substr(0, newline));
        text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
        constexpr std::string_view kSection = ".section\t.text.", kFunction = "Function : ";
        if (line.starts_with(kSection)) {  // nvdisasm
            finish();
            const std::string_view rest = line.substr(kSection.size());
            pending.emplace().kernel.symbol = rest.substr(0, rest.find(','));
        } else if (line.starts_with(kFunction)) {  // cuobjdump
            finish();
            pending.emplace().kernel.symbol = trimmed(line.substr(kFunction.size()));
        } else if (line.starts_with(".section")) {
            finish();
        } else if (!pending) {
            continue;
        } else if (line.starts_with(".L") && line.ends_with(':')) {
            pending->open_labels.emplace_back(line.substr(0, line.size() - 1));
        } else if (line.starts_with("/*") && line.find("*/") != std::string_view::npos) {
            const size_t end = line.find("*/");
            const std::optional<uint64_t> address = parse_hex(line.substr(2, end - 2));
            const std::string_view rest = trimmed(line.substr(end + 2));
            // Behind the semicolon is the code in hexadecimal; its second half has its own line.
            const size_t semicolon = rest.find(';');
            if (!address || semicolon == std::string_view::npos) continue;
            pending->add(*address, rest.substr(0, semicolon));
        }
    }
    finish();
    return kernels;
}

std::optional<InstructionRange> main_loop(const std::vector<Instruction>& instructions) {
    std::vector<int> tensor_before(instructions.size() + 1, 0);
    for (size_t i = 0; i < instructions.size(); ++i) {
        const bool tensor = kind_of(instructions[i].mnemonic) == InstructionKind::kTensor;
        tensor_before[i + 1] = tensor_before[i] + (tensor ? 1 : 0);
    }
    std::vector<InstructionRange> loops;
    for (size_t i = 0; i < instructions.size(); ++i) {
        const std::optional<uint64_t>& target = instructions[i].target;
        // A branch to itself is the end of the code.
        if (!target || *target >= instructions[i].address) continue;
        const auto first = std::lower_bound(
            instructions.begin(), instructions.end(), *target,
            [](const Instruction& a, uint64_t address) { return a.address < address; });
        const InstructionRange range{static_cast<size_t>(first - instructions.begin()), i + 1};
        if (tensor_before[range.end] > tensor_before[range.first]) loops.push_back(range);
    }
    std::optional<InstructionRange> best;
    int most = 0;
    for (const InstructionRange& loop : loops) {
        const auto encloses = [&loop](const InstructionRange& other) {
            return loop.first <= other.first && other.end <= loop.end && other.size() < loop.size();
        };
        if (std::any_of(loops.begin(), loops.end(), encloses)) continue;
        const int tensor = tensor_before[loop.end] - tensor_before[loop.first];
        if (tensor < most || (tensor == most && best && best->size() <= loop.size())) continue;
        best = loop;
        most = tensor;
    }
    return best;
}

InstructionMix count(const std::vector<Instruction>& instructions, InstructionRange range) {
    InstructionMix mix;
    std::map<std::string, int> names;
    for (size_t i = range.first; i < range.end; ++i) {
        const std::string& mnemonic = instructions[i].mnemonic;
        ++mix.by_kind[static_cast<size_t>(kind_of(mnemonic))];
        ++names[mnemonic.substr(0, mnemonic.find('.'))];
        ++mix.total;
    }
    mix.by_mnemonic.assign(names.begin(), names.end());
    std::stable_sort(mix.by_mnemonic.begin(), mix.by_mnemonic.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    return mix;
}

}  // namespace sagejit::analysis
