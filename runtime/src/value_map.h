// How the wgmma family's attention kernel takes its tiles and reads V.
#pragma once

#include "executor.h"

namespace sagejit {

// Order of query tiles: heads at work at a time, and divisors that find a tile's place.
void set_tile_order(const Plan& plan, abi::Call& call);

// What sizes decide of how the kernel reads V. True where V's address decides the rest, which
// add_value_map adds; false for other families.
bool set_value_path(const Plan& plan, abi::Call& call);

// Lets the kernel read the caller's V through a tensor map where its rows allow that; where they
// do not, has the quantizer pack it into the workspace. Only where set_value_path asks for it.
// Throws as Executor::encode_tensor_map does.
void add_value_map(const Plan& plan, const Arguments& arguments, const Executor& executor,
                   abi::Call& call);

}  // namespace sagejit
