// Code that ptxas could not make as the plan meant it: it is right, and slow.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sagejit/cubin_entry.h"
#include "sagejit/generator/plan.h"

namespace sagejit {

// "ptxas spilled 24 bytes of registers in attention", or its own words (C7510 and its like, for
// wgmma that it serialised); empty where there is nothing of the kind. warnings: of the compiler.
std::string slow_code_problem(std::span<const CubinEntry> entries, std::string_view warnings);

// Whether the spec chooses any tile itself.
bool chooses_tiles(const Spec& spec);

// Throws Error(kUnsupportedTarget) for a plan with that problem. by_caller: whose tiles the caller
// chose.
[[noreturn]] void throw_slow_code(const Plan& plan, const std::string& problem,
                                  bool by_caller = true);

}  // namespace sagejit
