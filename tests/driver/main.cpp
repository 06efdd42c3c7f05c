// Tests of loading and launching. They run against the stub driver and the stub NVRTC, and where
// SAGEJIT_TEST_DRIVER is "real" against what the machine has. CTest gives each its own process.
#define CATCH_CONFIG_RUNNER
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <string_view>

#include "stubs.h"

int main(int argc, char** argv) {
    const char* driver = getenv("SAGEJIT_TEST_DRIVER");
    if (driver != nullptr && std::string_view(driver) == "real") {
        return Catch::Session().run(argc, argv);
    }
    const TemporaryDirectory cache;
    sagejit::test::use_stubs(cache);
    return Catch::Session().run(argc, argv);
}
