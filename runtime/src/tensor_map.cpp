#include "tensor_map.h"

#include <fmt/format.h>

#include <string>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

constexpr uint64_t kChunkBytes = 16;
constexpr uint64_t kMaxSize = uint64_t{1} << 32;
constexpr uint64_t kStrideLimit = uint64_t{1} << 40;
constexpr uint32_t kMaxBox = 256;

[[noreturn]] void refuse(const std::string& what, const char* fix) {
    throw Error(ErrorCode::kInvalidArgument, what, "tensor map", fix);
}

void check_layout(const TensorMapRequest& request) {
    const int swizzle = request.swizzle_bytes;
    if (swizzle != 0 && swizzle != 32 && swizzle != 64 && swizzle != 128) {
        refuse(fmt::format("a swizzle of {} bytes", swizzle), "0, 32, 64 or 128");
    }
    if (request.element_bytes != 1 && request.element_bytes != 2) {
        refuse(fmt::format("elements of {} bytes", request.element_bytes), "1 or 2");
    }
    const uint64_t row = uint64_t{request.box[0]} * static_cast<uint64_t>(request.element_bytes);
    if (row % kChunkBytes != 0) {
        refuse(fmt::format("the box has rows of {} bytes", row), "a multiple of 16");
    }
    if (swizzle != 0 && row != static_cast<uint64_t>(swizzle)) {
        refuse(fmt::format("the box has rows of {} bytes with a swizzle of {}", row, swizzle),
               "rows that fill the swizzle exactly; wider boxes in several copies");
    }
}

}  // namespace

void check_tensor_map(const TensorMapRequest& request) {
    if (request.rank != 4) refuse(fmt::format("rank {}", request.rank), "4");
    if (request.base == nullptr || reinterpret_cast<uintptr_t>(request.base) % kChunkBytes != 0) {
        refuse(fmt::format("data at {}", fmt::ptr(request.base)), "an address aligned to 16 bytes");
    }
    for (int i = 0; i < 4; ++i) {
        if (request.sizes[i] == 0 || request.sizes[i] > kMaxSize) {
            refuse(fmt::format("dimension {} has {} elements", i, request.sizes[i]), "1 to 2^32");
        }
        if (request.box[i] == 0 || request.box[i] > kMaxBox) {
            refuse(fmt::format("dimension {} of the box has {} elements", i, request.box[i]),
                   "1 to 256");
        }
    }
    for (int i = 0; i < 3; ++i) {
        const uint64_t stride = request.stride_bytes[i];
        if (stride % kChunkBytes != 0 || stride >= kStrideLimit) {
            refuse(fmt::format("dimension {} has a stride of {} bytes", i + 1, stride),
                   "a multiple of 16 below 2^40");
        }
    }
    check_layout(request);
}

}  // namespace sagejit
