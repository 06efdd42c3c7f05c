#include "memory_location.h"

#include "driver_api.h"

namespace sagejit {
namespace {

// Null where there is no driver to ask.
const DriverApi* available_driver() {
    try {
        return &driver_api();
    } catch (const Error&) {
        if (driver_lost_by_fork()) throw;
        return nullptr;
    }
}

// False where the driver does not know the pointer.
template <typename T>
bool get_attribute(const DriverApi& api, T* value, CUpointer_attribute attribute,
                   const void* pointer) {
    const auto address = reinterpret_cast<CUdeviceptr>(pointer);
    CUresult result = api.pointer_get_attribute(value, attribute, address);
    if (result == CUDA_ERROR_INVALID_CONTEXT) {
        // A thread that has none: any will do to ask in.
        const ScopedContext scope(api, primary_context(0));
        result = api.pointer_get_attribute(value, attribute, address);
    }
    if (result == CUDA_ERROR_INVALID_VALUE) return false;
    api.check(result, "cuPointerGetAttribute");
    return true;
}

}  // namespace

Device location_of(const void* pointer) {
    const DriverApi* api = available_driver();
    if (api == nullptr) return Device::host();
    unsigned type = 0;
    if (!get_attribute(*api, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, pointer)) {
        return Device::host();
    }
    unsigned managed = 0;  // resides on either side
    if (type == CU_MEMORYTYPE_HOST &&
        (!get_attribute(*api, &managed, CU_POINTER_ATTRIBUTE_IS_MANAGED, pointer) ||
         managed == 0)) {
        return Device::host();
    }
    int ordinal = 0;
    if (!get_attribute(*api, &ordinal, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, pointer)) {
        return Device::host();
    }
    return Device::cuda(ordinal);
}

}  // namespace sagejit
