#include "host/host_tensor_map.h"

#include <cstdint>

namespace sagejit::host {

abi::TensorMap encode_tensor_map(const TensorMapRequest& request) {
    abi::TensorMap map{};
    abi::u64* word = map.words;
    *word++ = kTensorMapMark;
    *word++ = reinterpret_cast<std::uintptr_t>(request.base);
    for (const std::uint64_t size : request.sizes) *word++ = size;
    for (const std::uint64_t stride : request.stride_bytes) *word++ = stride;
    for (int i = 0; i < 4; ++i) *word |= static_cast<abi::u64>(request.box[i]) << (16 * i);
    ++word;
    *word = static_cast<abi::u64>(request.element_bytes) |
            static_cast<abi::u64>(request.swizzle_bytes) << 16;
    return map;
}

}  // namespace sagejit::host
