// Bundles that are linked in, and how bundles are told apart.
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "bundles.h"
#include "problem.h"
#include "unit/error_of.h"

using namespace sagejit;
using namespace sagejit::test;
using Catch::Matchers::Contains;

TEST_CASE("bundles of one name are told apart by what they hold", "[driver]") {
    const Device gpu = Device::cuda(0);
    const std::vector<uint8_t> for_90 = bundle_bytes(small_spec(), {"sm_90"});
    const std::vector<uint8_t> for_90a = bundle_bytes(small_spec(), {"sm_90a"});
    const auto target_of = [&](const PrepareOptions& options) {
        return std::string(prepare(small_spec(), gpu, options).plan().target.name);
    };
    CHECK(open_bytes(for_90).checksum() != open_bytes(for_90a).checksum());
    CHECK(open_bytes(for_90).checksum() == open_bytes(for_90, "other name").checksum());
    CHECK(target_of(bundle_only({open_bytes(for_90, "same")})) == "sm_90");
    CHECK(target_of(bundle_only({open_bytes(for_90a, "same")})) == "sm_90a");
    CHECK(target_of(bundle_only({open_bytes(for_90, "same")})) == "sm_90");
    {
        const Linked linked(for_90, "same");
        CHECK(target_of(bundle_only({})) == "sm_90");
    }
    const Linked linked(for_90a, "same");
    CHECK(target_of(bundle_only({})) == "sm_90a");
    // The same bundle, opened again, is the kernel that is there.
    const Kernel first = prepare(small_spec(), gpu, bundle_only({open_bytes(for_90, "same")}));
    const Kernel second = prepare(small_spec(), gpu, bundle_only({open_bytes(for_90, "same")}));
    CHECK(&first.plan() == &second.plan());
}

TEST_CASE("many threads prepare from the same bundles while one is linked and taken back",
          "[driver]") {
    const Device gpu = Device::cuda(0);
    const std::vector<uint8_t> bytes = bundle_bytes(small_spec(), {"sm_90"});
    const PrepareOptions options = bundle_only({open_bytes(bytes, "opened")});
    std::atomic<int> from_linked = 0, from_opened = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < 20; ++round) {
                const Kernel kernel = prepare(small_spec(), gpu, options);
                const std::string& origin = kernel.report().bundle;
                if (origin == "linked") ++from_linked;
                if (origin == "opened") ++from_opened;
            }
        });
    }
    for (int round = 0; round < 100; ++round) {
        std::vector<uint8_t> own = bytes;
        {
            const Linked linked(own, "linked");
            std::this_thread::yield();
        }
        std::fill(own.begin(), own.end(), uint8_t{0});
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(from_linked + from_opened == 8 * 20);
}

TEST_CASE("a bundle is linked until it is taken back, and kernels stay", "[driver]") {
    std::vector<uint8_t> bytes = bundle_bytes(small_spec(), {"sm_90"});
    const Device gpu = Device::cuda(0);
    const auto from_linked = [&] {
        Linked linked(bytes, "linked");
        return prepare(small_spec(), gpu, bundle_only({}));
    };
    const Kernel kernel = from_linked();
    std::fill(bytes.begin(), bytes.end(), uint8_t{0});
    CHECK(linked_bundles().empty());
    const DeviceProblem problem(gpu, kernel.plan());
    problem.launch(kernel);
    CHECK(error_of([&] { prepare(small_spec(), gpu, bundle_only({})); }).code() ==
          ErrorCode::kNotBuilt);

    // The bytes are bad now.
    const Linked damaged(bytes, "damaged");
    const Error error = error_of([&] { prepare(small_spec(), gpu, bundle_only({})); });
    CHECK_THAT(error.message(), Contains("damaged: not a usable bundle"));
    CHECK(error_of([] { linked_bundles(); }).code() == ErrorCode::kInvalidInput);
}
