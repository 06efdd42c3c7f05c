// The table behind sass.h.
#pragma once

#include <string_view>

#include "analysis/sass.h"

namespace sagejit::analysis {

struct Opcode {
    int opcode;  // the lowest nine bits
    std::string_view mnemonic;
    InstructionKind kind;
};

// nullptr for an opcode that is not in the table.
const Opcode* find_opcode(int opcode);

}  // namespace sagejit::analysis
