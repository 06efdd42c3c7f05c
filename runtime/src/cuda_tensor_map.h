// Tensor maps as the GPU reads them.
#pragma once

#include "call.h"
#include "driver_api.h"
#include "tensor_map.h"

namespace sagejit {

// Encodes a request in the current context. Throws Error(kInvalidArgument) for one outside the
// rules, Error(kNoDriver) where the driver has no tensor maps, Error(kLaunchFailed) where it
// refuses the request.
void encode_cuda_tensor_map(const DriverApi& api, const TensorMapRequest& request,
                            abi::TensorMap& map);

}  // namespace sagejit
