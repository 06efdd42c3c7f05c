// Several GPUs, GPUs chosen by CUDA_VISIBLE_DEVICES, and GPUs newer than this program.
#include <catch2/catch.hpp>
#include <string>

#include "host/process.h"
#include "problem.h"
#include "sagejit/registry.h"
#include "sagejit/stream.h"
#include "stub.h"
#include "stubs.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;
using Catch::Matchers::Contains;

TEST_CASE("each GPU runs a kernel of its own, and the current one stays current", "[driver][gpu]") {
    need_gpus(2);
    const stub::Controls* stub = stub_controls();
    const DriverApi& api = driver_api();
    const auto current = [&api] {
        CUcontext context = nullptr;
        api.ctx_get_current(&context);
        return context;
    };
    const ScopedContext scope(api, primary_context(0));
    const CUcontext before = current();
    for (const int ordinal : {1, 0}) {
        const Device gpu = Device::cuda(ordinal);
        const Kernel kernel = prepare(small_spec(), gpu);
        CHECK(kernel.device().ordinal() == ordinal);
        CHECK(kernel.plan().target == gpu.target_for(small_spec()));
        const DeviceProblem problem(gpu, kernel.plan());
        const Stream stream(gpu);
        if (stub != nullptr) stub->reset();
        problem.launch(kernel, stream.handle());
        problem.launch(kernel);  // the null stream of that GPU, not of the current one
        launch(small_spec(), gpu, problem.arguments(), problem.workspace(),
               problem.workspace_bytes(), stream.handle());
        stream.synchronize();
        for (const unsigned char byte : problem.output()) {
            if (stub == nullptr) REQUIRE(byte == 0);
        }
        CHECK(current() == before);
        for (size_t i = 0; stub != nullptr && i < stub->launches(); ++i) {
            stub::Launch seen;
            REQUIRE(stub->launch(i, &seen));
            CHECK(seen.device == ordinal);
        }
    }
    if (stub != nullptr) {
        CHECK(Device::cuda(0).target().name == "sm_90");
        CHECK(Device::cuda(1).target().name == "sm_80");
    }
}

TEST_CASE("a stream of another GPU is an error, not a launch", "[driver][gpu]") {
    need_gpus(2);
    const Device gpu = Device::cuda(0);
    const Kernel kernel = prepare(small_spec(), gpu);
    const DeviceProblem problem(gpu, kernel.plan());
    const Stream foreign(Device::cuda(1));
    CHECK(error_of([&] { problem.launch(kernel, foreign.handle()); }).code() ==
          ErrorCode::kLaunchFailed);
    problem.launch(kernel);
}

// For the tests below: in a process of its own, since a driver is opened once.
TEST_CASE("tell the devices", "[.]") {
    std::string text;
    try {
        for (int i = 0; i < gpu_count(); ++i) {
            const Device gpu = Device::cuda(i);
            text += gpu.name() + ", ";
            try {
                const Kernel kernel = prepare(small_spec(), gpu);
                DeviceProblem(gpu, kernel.plan()).launch(kernel);
                text += "ran " + std::string(kernel.plan().target.name);
            } catch (const Error& error) {
                text += std::string(to_string(error.code())) + ": " + error.what();
            }
            text += "; ";
        }
    } catch (const Error& error) {
        text += std::string(to_string(error.code())) + ": " + error.what();
    }
    std::printf("devices: %s\n", text.c_str());
}

namespace {

std::string devices_with(const char* devices, std::optional<std::string> visible = {}) {
    const ScopedVariable stub("SAGEJIT_STUB_DEVICES", devices);
    const ScopedVariable chosen("SAGEJIT_TEST_VISIBLE", visible);
    const host::ProcessResult result = host::run_process({"/proc/self/exe", "tell the devices"});
    REQUIRE(result.status == 0);
    const size_t begin = result.output.find("devices: ");
    REQUIRE(begin != std::string::npos);
    return result.output.substr(begin, result.output.find('\n', begin) - begin);
}

}  // namespace

TEST_CASE("CUDA_VISIBLE_DEVICES decides which GPUs there are", "[driver]") {
    CHECK(devices_with("9.0,8.0,8.6", "2,0") ==
          "devices: Stub 8.6 #2, ran sm_86; Stub 9.0 #0, ran sm_90a; ");
    CHECK(devices_with("9.0,8.0", "1,7,0") == "devices: Stub 8.0 #1, ran sm_80; ");
    CHECK_THAT(devices_with("9.0,8.0", ""), Contains("no_device") && Contains("sees no GPU") &&
                                                Contains("CUDA_VISIBLE_DEVICES"));
    CHECK_THAT(devices_with("9.0", "-1"), Contains("no_device"));
}

TEST_CASE("a newer minor version runs the code of its major one", "[driver]") {
    // Not in the table of targets: compatible with the older members of their families.
    CHECK(devices_with("9.3,10.9,12.7") ==
          "devices: Stub 9.3 #0, ran sm_90; Stub 10.9 #1, ran sm_100; Stub 12.7 #2, ran sm_120; ");
    CHECK(devices_with("8.8") == "devices: Stub 8.8 #0, ran sm_86; ");  // not Tegra's sm_87
    const std::string unknown = devices_with("17.2");
    CHECK_THAT(unknown, Contains("unsupported_target") && Contains("17.2"));
    CHECK_THAT(devices_with("7.0"), Contains("unsupported_target") && Contains("7.0"));
}
