// Machine code of NVIDIA GPUs, as far as counting its instructions takes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sagejit::analysis {

enum class InstructionKind {
    kTensor,      // matrix multiply: IMMA, HMMA, HGMMA, ..
    kSpecial,     // exponentials, reciprocals: MUFU
    kConversion,  // between number formats
    kFloat,       // fp32 and packed fp16 arithmetic
    kInteger,     // integer arithmetic, logic, selection
    kShared,      // loads and stores of shared memory, shuffles
    kGlobal,      // loads, stores, copies of device memory
    kSpill,       // loads and stores of local memory: spilled registers
    kMove,        // moves, constants, predicates, special registers
    kControl,     // branches, barriers, waiting
    kUnknown,     // opcodes that are not in the table
};
inline constexpr int kInstructionKinds = 11;
std::string_view to_string(InstructionKind kind);

// The kind of a mnemonic such as "IMMA" or "LDSM.16.MT88.4".
InstructionKind kind_of(std::string_view mnemonic);

struct Instruction {
    uint64_t address = 0;            // bytes from the start of the kernel
    std::string mnemonic;            // "IMMA"; "0x123" for an opcode not in the table
    std::optional<uint64_t> target;  // of a relative branch
};

// Reads 128-bit instructions, by a table of opcodes; of the operands only the targets of branches.
// arch: 80 and newer. Trailing bytes that are no whole instruction are ignored.
std::vector<Instruction> decode_instructions(std::span<const uint8_t> code, int arch);

struct DisassembledKernel {
    std::string symbol;
    std::vector<Instruction> instructions;
};
// Reads what `nvdisasm -c` or `cuobjdump -sass` prints. Lines it does not know are ignored.
std::vector<DisassembledKernel> parse_disassembly(std::string_view text);

// Instructions first .. end - 1 of a kernel.
struct InstructionRange {
    size_t first = 0, end = 0;
    size_t size() const { return end - first; }
};

// Of the innermost loops with tensor instructions the one that holds the most; of several the
// shortest. A loop is a backward branch and what it encloses. nullopt where no loop holds any.
std::optional<InstructionRange> main_loop(const std::vector<Instruction>& instructions);

struct InstructionMix {
    std::array<int, kInstructionKinds> by_kind{};
    std::vector<std::pair<std::string, int>> by_mnemonic;  // most frequent first
    int total = 0;

    int of(InstructionKind kind) const { return by_kind[static_cast<size_t>(kind)]; }
};
InstructionMix count(const std::vector<Instruction>& instructions, InstructionRange range);

}  // namespace sagejit::analysis
