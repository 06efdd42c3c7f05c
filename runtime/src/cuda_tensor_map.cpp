#include "cuda_tensor_map.h"

#include <fmt/format.h>

#include <cstring>

namespace sagejit {
namespace {

static_assert(sizeof(CUtensorMap) == sizeof(abi::TensorMap));

CUtensorMapSwizzle swizzle_of(int bytes) {
    switch (bytes) {
        case 32:
            return CU_TENSOR_MAP_SWIZZLE_32B;
        case 64:
            return CU_TENSOR_MAP_SWIZZLE_64B;
        case 128:
            return CU_TENSOR_MAP_SWIZZLE_128B;
        default:
            return CU_TENSOR_MAP_SWIZZLE_NONE;
    }
}

// Zeros outside the tensor: any type of that width says so by its bits. (The fill by NaN, which
// needs a floating type, is not asked for.)
CUtensorMapDataType type_of(int element_bytes) {
    return element_bytes == 1 ? CU_TENSOR_MAP_DATA_TYPE_UINT8 : CU_TENSOR_MAP_DATA_TYPE_UINT16;
}

}  // namespace

void encode_cuda_tensor_map(const DriverApi& api, const TensorMapRequest& request,
                            abi::TensorMap& map) {
    check_tensor_map(request);
    if (api.tensor_map_encode_tiled == nullptr) {
        throw Error(ErrorCode::kNoDriver,
                    fmt::format("{} has no cuTensorMapEncodeTiled", api.info.path), "tensor map",
                    "update the NVIDIA driver to version 525 or newer");
    }
    cuuint64_t sizes[4], strides[3];
    cuuint32_t box[4], element_strides[4];
    for (int i = 0; i < 4; ++i) {
        sizes[i] = request.sizes[i];
        box[i] = request.box[i];
        element_strides[i] = 1;
    }
    for (int i = 0; i < 3; ++i) strides[i] = request.stride_bytes[i];
    CUtensorMap encoded;
    api.check(api.tensor_map_encode_tiled(
                  &encoded, type_of(request.element_bytes), 4, const_cast<void*>(request.base),
                  sizes, strides, box, element_strides, CU_TENSOR_MAP_INTERLEAVE_NONE,
                  swizzle_of(request.swizzle_bytes), CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                  CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
              "cuTensorMapEncodeTiled", ErrorCode::kLaunchFailed, "tensor map");
    std::memcpy(&map, &encoded, sizeof map);
}

}  // namespace sagejit
