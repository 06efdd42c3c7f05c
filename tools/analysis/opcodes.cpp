// Opcodes of sm_80 to sm_120, the lowest nine bits of an instruction, and what they are for.
// Found by comparing cubins of every shipped config with NVIDIA's disassembler (13.5).
#include "analysis/opcodes.h"

#include <algorithm>
#include <array>

namespace sagejit::analysis {
namespace {

using enum InstructionKind;

// By opcode. A mnemonic may stand for several opcodes.
constexpr std::array kOpcodes = {
    Opcode{0x002, "MOV", kMove},          Opcode{0x003, "P2R", kMove},
    Opcode{0x005, "CS2R", kMove},         Opcode{0x006, "VOTE", kControl},
    Opcode{0x007, "SEL", kInteger},       Opcode{0x008, "FSEL", kFloat},
    Opcode{0x009, "FMNMX", kFloat},       Opcode{0x00b, "FSETP", kFloat},
    Opcode{0x00c, "ISETP", kInteger},     Opcode{0x00f, "VIMNMX3", kInteger},
    Opcode{0x010, "IADD3", kInteger},     Opcode{0x011, "LEA", kInteger},
    Opcode{0x012, "LOP3", kInteger},      Opcode{0x013, "IABS", kInteger},
    Opcode{0x016, "PRMT", kInteger},      Opcode{0x017, "IMNMX", kInteger},
    Opcode{0x019, "SHF", kInteger},       Opcode{0x01c, "PLOP3", kMove},
    Opcode{0x020, "FMUL", kFloat},        Opcode{0x021, "FADD", kFloat},
    Opcode{0x023, "FFMA", kFloat},        Opcode{0x024, "IMAD", kInteger},
    Opcode{0x025, "IMAD", kInteger},      Opcode{0x026, "IDP", kInteger},
    Opcode{0x027, "IMAD", kInteger},      Opcode{0x028, "DMUL", kFloat},
    Opcode{0x029, "DADD", kFloat},        Opcode{0x02a, "DSETP", kFloat},
    Opcode{0x02b, "DFMA", kFloat},        Opcode{0x02d, "PREEXIT", kControl},
    Opcode{0x02e, "ACQBULK", kControl},   Opcode{0x02f, "ELECT", kControl},
    Opcode{0x030, "HADD2", kFloat},       Opcode{0x031, "HFMA2", kFloat},
    Opcode{0x032, "HMUL2", kFloat},       Opcode{0x035, "IADD", kInteger},
    Opcode{0x036, "VIADD", kInteger},     Opcode{0x037, "IMMA", kTensor},
    Opcode{0x03b, "LDSM", kShared},       Opcode{0x03c, "HMMA", kTensor},
    Opcode{0x03e, "F2FP", kConversion},   Opcode{0x045, "I2FP", kConversion},
    Opcode{0x046, "VIADDMNMX", kInteger}, Opcode{0x048, "VIMNMX", kInteger},
    Opcode{0x04a, "UVIMNMX", kInteger},   Opcode{0x051, "UFSEL", kFloat},
    Opcode{0x053, "UFSETP", kFloat},      Opcode{0x055, "UFFMA", kFloat},
    Opcode{0x056, "UFMUL", kFloat},       Opcode{0x05a, "UI2F", kConversion},
    Opcode{0x05c, "UF2I", kConversion},   Opcode{0x076, "FMNMX3", kFloat},
    Opcode{0x07a, "QMMA", kTensor},       Opcode{0x082, "UMOV", kMove},
    Opcode{0x086, "VOTEU", kControl},     Opcode{0x087, "USEL", kInteger},
    Opcode{0x08c, "UISETP", kInteger},    Opcode{0x090, "UIADD3", kInteger},
    Opcode{0x091, "ULEA", kInteger},      Opcode{0x092, "ULOP3", kInteger},
    Opcode{0x099, "USHF", kInteger},      Opcode{0x09c, "UPLOP3", kMove},
    Opcode{0x0a4, "UIMAD", kInteger},     Opcode{0x0a5, "UIMAD", kInteger},
    Opcode{0x0a6, "UIMAD", kInteger},     Opcode{0x0b9, "ULDC", kMove},
    Opcode{0x0bd, "UFLO", kInteger},      Opcode{0x0ca, "R2UR", kMove},
    Opcode{0x0cc, "CREDUX", kInteger},    Opcode{0x100, "FLO", kInteger},
    Opcode{0x102, "FCHK", kFloat},        Opcode{0x105, "F2I", kConversion},
    Opcode{0x106, "I2F", kConversion},    Opcode{0x108, "MUFU", kSpecial},
    Opcode{0x109, "POPC", kInteger},      Opcode{0x110, "F2F", kConversion},
    Opcode{0x118, "NOP", kControl},       Opcode{0x119, "S2R", kMove},
    Opcode{0x11a, "DEPBAR", kControl},    Opcode{0x11d, "BAR", kControl},
    Opcode{0x141, "BSYNC", kControl},     Opcode{0x142, "BREAK", kControl},
    Opcode{0x144, "CALL", kControl},      Opcode{0x145, "BSSY", kControl},
    Opcode{0x147, "BRA", kControl},       Opcode{0x148, "WARPSYNC", kControl},
    Opcode{0x14d, "EXIT", kControl},      Opcode{0x150, "RET", kControl},
    Opcode{0x15d, "NANOSLEEP", kControl}, Opcode{0x166, "TLD", kGlobal},
    Opcode{0x181, "LDG", kGlobal},        Opcode{0x182, "LDC", kMove},
    Opcode{0x183, "LDL", kSpill},         Opcode{0x184, "LDS", kShared},
    Opcode{0x186, "STG", kGlobal},        Opcode{0x187, "STL", kSpill},
    Opcode{0x188, "STS", kShared},        Opcode{0x189, "SHFL", kShared},
    Opcode{0x18c, "ATOMS", kShared},      Opcode{0x18e, "RED", kGlobal},
    Opcode{0x18f, "CCTL", kGlobal},       Opcode{0x192, "MEMBAR", kControl},
    Opcode{0x1a1, "MATCH", kControl},     Opcode{0x1a3, "ATOMG", kGlobal},
    Opcode{0x1a7, "SYNCS", kControl},     Opcode{0x1a8, "ATOMG", kGlobal},
    Opcode{0x1ab, "ERRBAR", kControl},    Opcode{0x1ac, "LDCU", kMove},
    Opcode{0x1ae, "LDGSTS", kGlobal},     Opcode{0x1af, "LDGDEPBAR", kControl},
    Opcode{0x1b2, "SYNCS", kControl},     Opcode{0x1b4, "UTMALDG", kGlobal},
    Opcode{0x1b9, "UTMACCTL", kGlobal},   Opcode{0x1ba, "UBLKCP", kGlobal},
    Opcode{0x1c3, "S2UR", kMove},         Opcode{0x1c4, "REDUX", kInteger},
    Opcode{0x1c5, "WARPGROUP", kControl}, Opcode{0x1c6, "FENCE", kControl},
    Opcode{0x1f0, "HGMMA", kTensor},      Opcode{0x1f1, "IGMMA", kTensor},
    Opcode{0x1f3, "QGMMA", kTensor},
};

// Mnemonics that only a disassembler gives; their opcodes are in the table under another name.
constexpr std::array kOthers = {
    Opcode{0, "USETMAXREG", kControl},
    Opcode{0, "CGAERRBAR", kControl},
    Opcode{0, "WARPGROUPSET", kControl},
    Opcode{0, "USHFL", kShared},
};

}  // namespace

const Opcode* find_opcode(int opcode) {
    const auto found =
        std::lower_bound(kOpcodes.begin(), kOpcodes.end(), opcode,
                         [](const Opcode& entry, int wanted) { return entry.opcode < wanted; });
    return found != kOpcodes.end() && found->opcode == opcode ? &*found : nullptr;
}

InstructionKind kind_of(std::string_view mnemonic) {
    const std::string_view base = mnemonic.substr(0, mnemonic.find('.'));
    const auto named = [base](const Opcode& entry) { return entry.mnemonic == base; };
    const auto found = std::find_if(kOpcodes.begin(), kOpcodes.end(), named);
    if (found != kOpcodes.end()) return found->kind;
    const auto other = std::find_if(kOthers.begin(), kOthers.end(), named);
    return other != kOthers.end() ? other->kind : kUnknown;
}

std::string_view to_string(InstructionKind kind) {
    switch (kind) {
        case kTensor:
            return "tensor";
        case kSpecial:
            return "special function";
        case kConversion:
            return "conversion";
        case kFloat:
            return "float";
        case kInteger:
            return "integer";
        case kShared:
            return "shared memory";
        case kGlobal:
            return "device memory";
        case kSpill:
            return "spill";
        case kMove:
            return "move";
        case kControl:
            return "control";
        case kUnknown:
            return "unknown";
    }
    return "unknown";
}

}  // namespace sagejit::analysis
