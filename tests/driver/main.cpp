// Tests of loading and launching. They run against the stub driver and the stub NVRTC, and where
// SAGEJIT_TEST_DRIVER is "real" against what the machine has. CTest gives each its own process.
#include <stdlib.h>

#include <string_view>

#include "catch_session.h"
#include "stubs.h"

int main(int argc, char** argv) {
    const char* driver = getenv("SAGEJIT_TEST_DRIVER");
    if (driver != nullptr && std::string_view(driver) == "real") {
        return sagejit::test::run_catch(argc, argv);
    }
    const TemporaryDirectory cache;
    sagejit::test::use_stubs(cache);
    return sagejit::test::run_catch(argc, argv);
}
