// The kernels' argument block as C++: the very file that is pasted into the emitted source.
#pragma once

#include <cstdint>

namespace sagejit::abi {

using u8 = std::uint8_t;
using i8 = std::int8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using i32 = std::int32_t;
using u64 = std::uint64_t;
using i64 = std::int64_t;
using f32 = float;

#include "templates/common/call.cuh"
#include "templates/host/api.cuh"

}  // namespace sagejit::abi
