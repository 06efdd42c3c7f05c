// Requests for tensor maps: what is accepted, what is refused, and what a driver without them says.
#include "tensor_map.h"

#include <catch2/catch.hpp>

#include "cuda_tensor_map.h"
#include "error_of.h"
#include "host/host_tensor_map.h"

using namespace sagejit;
using Catch::Matchers::Contains;

namespace {

alignas(16) char memory[64];

TensorMapRequest good() {
    TensorMapRequest request;
    request.base = memory;
    for (uint64_t& size : request.sizes) size = 100;
    for (uint64_t& stride : request.stride_bytes) stride = 256;
    request.box[0] = 64;
    request.box[1] = 128;
    request.box[2] = request.box[3] = 1;
    request.swizzle_bytes = 128;
    request.element_bytes = 2;
    return request;
}

template <typename Change>
std::string refusal(Change change) {
    TensorMapRequest request = good();
    change(request);
    const Error error = error_of([&] { check_tensor_map(request); });
    CHECK(error.code() == ErrorCode::kInvalidArgument);
    CHECK(error.where() == "tensor map");
    CHECK(error.fix() != "");
    return error.message();
}

using Request = TensorMapRequest;

}  // namespace

TEST_CASE("tensor maps within the rules are accepted", "[tensor_map]") {
    CHECK_NOTHROW(check_tensor_map(good()));
    Request most = good();
    most.sizes[3] = uint64_t{1} << 32;
    most.stride_bytes[2] = (uint64_t{1} << 40) - 16;
    most.stride_bytes[1] = 0;
    most.box[0] = 256;
    most.swizzle_bytes = 0;
    CHECK_NOTHROW(check_tensor_map(most));
}

TEST_CASE("tensor maps outside the rules are refused with the value", "[tensor_map]") {
    CHECK_THAT(refusal([](Request& r) { r.rank = 3; }), Contains("rank 3"));
    CHECK_THAT(refusal([](Request& r) { r.base = memory + 8; }), Contains("data at"));
    CHECK_THAT(refusal([](Request& r) { r.base = nullptr; }), Contains("data at"));
    CHECK_THAT(refusal([](Request& r) { r.sizes[2] = 0; }), Contains("dimension 2 has 0"));
    CHECK_THAT(refusal([](Request& r) { r.sizes[1] = (uint64_t{1} << 32) + 1; }),
               Contains("4294967297"));
    CHECK_THAT(refusal([](Request& r) { r.box[1] = 257; }), Contains("257"));
    CHECK_THAT(refusal([](Request& r) { r.box[3] = 0; }), Contains("box has 0"));
    CHECK_THAT(refusal([](Request& r) { r.stride_bytes[0] = 24; }), Contains("stride of 24"));
    CHECK_THAT(refusal([](Request& r) { r.stride_bytes[2] = uint64_t{1} << 40; }),
               Contains("dimension 3"));
    CHECK_THAT(refusal([](Request& r) { r.element_bytes = 4; }), Contains("elements of 4"));
    CHECK_THAT(refusal([](Request& r) { r.swizzle_bytes = 16; }), Contains("swizzle of 16"));
    CHECK_THAT(refusal([](Request& r) { r.box[0] = 12; }), Contains("rows of 24 bytes"));
    CHECK_THAT(refusal([](Request& r) { r.box[0] = 32; }), Contains("64 bytes with a swizzle"));
}

TEST_CASE("a driver without tensor maps is a typed error", "[tensor_map]") {
    DriverApi driver;
    driver.info.path = "an old libcuda.so.1";
    abi::TensorMap map{};
    const Error error = error_of([&] { encode_cuda_tensor_map(driver, good(), map); });
    CHECK(error.code() == ErrorCode::kNoDriver);
    CHECK_THAT(error.message(), Contains("an old libcuda.so.1 has no cuTensorMapEncodeTiled"));
    CHECK_THAT(error.fix(), Contains("525"));
}

TEST_CASE("the host device's maps hold the request", "[tensor_map]") {
    const abi::TensorMap map = host::encode_tensor_map(good());
    CHECK(map.words[0] == host::kTensorMapMark);
    CHECK(map.words[1] == reinterpret_cast<uintptr_t>(memory));
    for (int i = 2; i < 6; ++i) CHECK(map.words[i] == 100);
    for (int i = 6; i < 9; ++i) CHECK(map.words[i] == 256);
    CHECK(map.words[9] == 0x0001000100800040);
    CHECK(map.words[10] == (2 | 128 << 16));
}
