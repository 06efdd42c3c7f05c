// Kernels that are prepared while the caller does something else.
#include <future>
#include <stop_token>

#include "convert.h"
#include "kernel.h"
#include "sagejit/registry.h"
#include "status.h"

using namespace sagejit;

struct sagejit_preparation {
    std::stop_source stop;
    std::shared_future<Kernel> future;
};

sagejit_status sagejit_prepare_async(const char* config_json, sagejit_device device,
                                     const sagejit_prepare_options* options,
                                     sagejit_preparation** preparation) {
    return c::guarded([&] {
        c::required(config_json, "config_json");
        c::required(preparation, "preparation");
        PrepareOptions chosen = c::to_prepare_options(options);
        const Spec spec = parse_spec(config_json);
        auto made = std::make_unique<sagejit_preparation>();
        chosen.stop = made->stop.get_token();
        made->future = prepare_async(spec, c::to_device(device), chosen);
        *preparation = made.release();
    });
}

sagejit_status sagejit_preparation_wait(const sagejit_preparation* preparation, int64_t timeout_ms,
                                        int32_t* done) {
    return c::guarded([&] {
        const std::shared_future<Kernel>& future = c::required(preparation, "preparation")->future;
        c::required(done, "done");
        auto status = std::future_status::ready;
        if (timeout_ms < 0) {
            future.wait();
        } else {
            status = future.wait_until(c::deadline_after(timeout_ms));
        }
        *done = status == std::future_status::ready ? 1 : 0;
    });
}

sagejit_status sagejit_preparation_kernel(const sagejit_preparation* preparation,
                                          sagejit_kernel** kernel) {
    return c::guarded([&] {
        c::required(preparation, "preparation");
        c::required(kernel, "kernel");
        *kernel = new sagejit_kernel(preparation->future.get());
    });
}

void sagejit_preparation_cancel(sagejit_preparation* preparation) {
    if (preparation != nullptr) preparation->stop.request_stop();
}

void sagejit_preparation_release(sagejit_preparation* preparation) { delete preparation; }
