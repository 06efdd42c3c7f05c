// Device memory of the C API.
#include "convert.h"
#include "sagejit/device_buffer.h"
#include "status.h"

using namespace sagejit;

struct sagejit_buffer {
    DeviceBuffer memory;
};

sagejit_status sagejit_buffer_new(sagejit_device device, size_t bytes, sagejit_buffer** buffer) {
    return c::guarded([&] {
        c::required(buffer, "buffer");
        *buffer = new sagejit_buffer{DeviceBuffer(c::to_device(device), bytes)};
    });
}

void sagejit_buffer_release(sagejit_buffer* buffer) { delete buffer; }

void* sagejit_buffer_data(const sagejit_buffer* buffer) {
    return buffer == nullptr ? nullptr : buffer->memory.data();
}

sagejit_status sagejit_buffer_upload(sagejit_buffer* buffer, const void* source, size_t bytes,
                                     size_t offset) {
    return c::guarded([&] {
        DeviceBuffer& memory = c::required(buffer, "buffer")->memory;
        if (bytes > 0) c::required(source, "source");
        memory.upload(source, bytes, offset);
    });
}

sagejit_status sagejit_buffer_download(const sagejit_buffer* buffer, void* destination,
                                       size_t bytes, size_t offset) {
    return c::guarded([&] {
        const DeviceBuffer& memory = c::required(buffer, "buffer")->memory;
        if (bytes > 0) c::required(destination, "destination");
        memory.download(destination, bytes, offset);
    });
}
