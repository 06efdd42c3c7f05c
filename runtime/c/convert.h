// The C API's values as the C++ ones.
#pragma once

#include "sagejit.h"
#include "sagejit/sagejit.h"

namespace sagejit::c {

// Throw Error(kInvalidArgument) with `name` as where for numbers that mean nothing; the first also
// as Device::cuda does.
Device to_device(sagejit_device device, const char* name = "device");
TensorRef to_tensor(const sagejit_tensor& tensor, const char* name);

sagejit_device from_device(const Device& device);

}  // namespace sagejit::c
