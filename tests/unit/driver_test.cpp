// What the driver says where it is missing, unusable, or has no GPU. Tests with a GPU are in gpu/.
#include "driver.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "error_of.h"
#include "sagejit/sagejit.h"
#include "scoped_variable.h"

using namespace sagejit;
using Catch::Matchers::Contains;

namespace {

bool has_gpu() {
    try {
        return gpu_count() > 0;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

TEST_CASE("a missing driver is named with the places searched", "[driver]") {
    const ScopedVariable driver("SAGEJIT_LIBCUDA", "/nowhere/libcuda.so.1");
    const Error error = error_of(probe_driver);
    CHECK(error.code() == ErrorCode::kNoDriver);
    CHECK_THAT(error.message(), Contains("/nowhere/libcuda.so.1: no such file"));
    CHECK_THAT(error.fix(), Contains("host device"));
}

TEST_CASE("a library that is not a driver is refused", "[driver]") {
    const ScopedVariable driver("SAGEJIT_LIBCUDA", "libm.so.6");
    const Error error = error_of(probe_driver);
    CHECK(error.code() == ErrorCode::kNoDriver);
    CHECK_THAT(error.message(), Contains("cuGetProcAddress_v2"));
}

TEST_CASE("the toolkit's stub is recognised", "[driver]") {
    const char* stub = "/usr/local/cuda/lib64/stubs/libcuda.so";
    if (!std::filesystem::exists(stub)) return;
    const ScopedVariable driver("SAGEJIT_LIBCUDA", stub);
    const Error error = error_of(probe_driver);
    CHECK(error.code() == ErrorCode::kNoDriver);
    CHECK_THAT(error.message(), Contains("stub"));
}

TEST_CASE("without a GPU the best device is the host, and a GPU is a typed error", "[driver]") {
    if (has_gpu()) return;
    CHECK(Device::best().is_host());
    const ErrorCode code = error_of([] { Device::cuda(0); }).code();
    CHECK((code == ErrorCode::kNoDriver || code == ErrorCode::kNoDevice));
    CHECK(error_of([] { Device::parse("cuda:0"); }).code() == code);
}

TEST_CASE("devices are named by text", "[driver]") {
    CHECK(Device::host().text() == "host");
    CHECK(Device::host().ordinal() == -1);
    CHECK(Device::host().name() != "");
    CHECK(Device::parse("host").is_host());
    for (const char* text : {"", "gpu", "cuda", "cuda:", "cuda:x", "cuda:-1", "cuda:0 ", "HOST",
                             "cuda:99999999999999999999"}) {
        INFO(text);
        const Error error = error_of([&] { Device::parse(text); });
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK_THAT(error.message(), Contains(text));
    }
    CHECK(error_of([] { Device::host().target(); }).code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("versions read as CUDA writes them", "[driver]") {
    CHECK(DriverInfo{"", 13000}.version_text() == "13.0");
    CHECK(DriverInfo{"", 12040}.version_text() == "12.4");
}
