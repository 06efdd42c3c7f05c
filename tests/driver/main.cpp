// Tests of loading and launching. They run against the stub driver and the stub NVRTC, and where
// SAGEJIT_TEST_DRIVER is "real" against what the machine has. CTest gives each its own process.
#define CATCH_CONFIG_RUNNER
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <string_view>

#include "unit/temporary_directory.h"

int main(int argc, char** argv) {
    const char* driver = getenv("SAGEJIT_TEST_DRIVER");
    if (driver != nullptr && std::string_view(driver) == "real") {
        return Catch::Session().run(argc, argv);
    }
    const TemporaryDirectory cache;
    setenv("SAGEJIT_CACHE_DIR", cache.path().c_str(), 1);
    setenv("SAGEJIT_LIBCUDA", SAGEJIT_STUB_CUDA, 1);
    setenv("SAGEJIT_NVRTC", SAGEJIT_STUB_NVRTC, 1);
    setenv("SAGEJIT_STUB_DEVICES", "9.0,8.0,9.0", 0);
    unsetenv("CUDA_VISIBLE_DEVICES");
    return Catch::Session().run(argc, argv);
}
