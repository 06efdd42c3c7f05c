// The wgmma instructions of a plan. Their operand lists are as long as its tiles, so their wrappers
// are spelled per plan and not taken from the table.
#pragma once

#include <string>

#include "instructions.h"
#include "sagejit/generator/plan.h"

namespace sagejit {

// wgmma_qk and wgmma_pv; empty for the mma.sync family.
std::string warpgroup_products(const Plan& plan, Column column);

}  // namespace sagejit
