// Every kind of kernel on the host device against the three oracles.
#include "cases.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>

using namespace sagejit;
using namespace sagejit::test;

TEST_CASE("every kind of spec is right on ragged shapes") {
    for (const Spec& spec : diverse_specs()) {
        Case c;
        c.spec = spec;
        c.shape = {1, 4, 2, 201, 139};
        c.layout = Layout::kTokenMajor;
        c.host_seed = 7;
        CHECK(check_case(c, Device::host()) == "");
    }
}

TEST_CASE("shapes that broke others") {
    struct Shaped {
        Shape shape;
        int head_dim;
    };
    // B, Hq, Hkv, Lq, Lk, D; long ones cut to what the host device can hold.
    const Shaped shapes[] = {
        {{1, 2, 2, 520, 2048}, 96}, {{1, 5, 5, 1, 1}, 32},       {{1, 2, 1, 9, 9}, 64},
        {{1, 2, 2, 1001, 503}, 64}, {{1, 2, 2, 390, 1170}, 128}, {{1, 1, 1, 65, 4097}, 64},
        {{3, 2, 2, 1, 300}, 40},    {{1, 2, 2, 300, 1}, 80},     {{1, 8, 1, 33, 65}, 160},
        {{1, 2, 2, 128, 64}, 112},  {{1, 3, 3, 129, 65}, 72},    {{2, 2, 1, 255, 257}, 192},
        {{1, 1, 1, 127, 191}, 256},
    };
    for (const CausalMode causal :
         {CausalMode::kNone, CausalMode::kTopLeft, CausalMode::kBottomRight}) {
        for (const Shaped& shaped : shapes) {
            // One causal mode per head dim but the common ones keeps the compiler's share small.
            if (causal != CausalMode::kNone && shaped.head_dim != 64) continue;
            Case c;
            c.spec = make_spec(shaped.head_dim, Granularity::kThread, causal);
            c.spec.lse = true;
            c.shape = shaped.shape;
            c.layout = Layout::kFused;
            CHECK(check_case(c, Device::host()) == "");
        }
    }
}

TEST_CASE("empty problems are answered without a launch too many") {
    for (const Granularity granularity : {Granularity::kThread, Granularity::kTensor}) {
        for (const Shape& shape : {Shape{1, 2, 2, 0, 5}, Shape{1, 2, 2, 5, 0}, Shape{0, 2, 2, 5, 5},
                                   Shape{1, 0, 0, 5, 5}}) {
            Case c;
            c.spec = make_spec(64, granularity);
            c.spec.lse = true;
            c.shape = shape;
            CHECK(check_case(c, Device::host()) == "");
        }
    }
}

TEST_CASE("random cases agree with all oracles") {
    const char* wanted = std::getenv("SAGEJIT_FUZZ_CASES");
    const uint64_t count = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 520;
    const std::vector<Spec> specs = diverse_specs();
    uint64_t failures = 0;
    for (uint64_t index = 0; index < count; ++index) {
        const std::string failure = check_case(random_case(specs, index), Device::host());
        CHECK(failure == "");
        if (!failure.empty() && ++failures == 20) FAIL("stopping after 20 failures");
    }
}

TEST_CASE("any finite logit_scale is honoured") {
    for (const Granularity granularity : {Granularity::kThread, Granularity::kToken}) {
        for (const float scale : {0.0f, -0.0f, 1e-30f, -0.2f, 1e-3f, 3.0f}) {
            Case c;
            c.spec = make_spec(64, granularity);
            c.spec.lse = true;
            c.shape = {1, 2, 1, 100, 90};
            c.logit_scale = scale;
            CHECK(check_case(c, Device::host()) == "");
        }
    }
}

TEST_CASE("a call gives the same bits whatever the schedule") {
    Case c;
    c.spec = make_spec(64, Granularity::kThread, CausalMode::kTopLeft);
    c.spec.lse = true;
    c.shape = {1, 2, 1, 150, 170};
    const AttentionInput input = draw(c);
    const Outcome plain = run_case(kernel_for(c, Device::host()), c, input);
    for (const uint64_t seed : {1u, 2u, 3u, 4u}) {
        c.host_seed = seed;
        const Outcome other = run_case(kernel_for(c, Device::host()), c, input);
        CHECK(other.o == plain.o);
        CHECK(other.lse == plain.lse);
    }
}

TEST_CASE("the host device is fast enough to be a daily instrument") {
    Case c;
    c.spec = make_spec(64);
    c.shape = {1, 2, 2, 512, 512};
    const Kernel& kernel = kernel_for(c, Device::host());
    const AttentionInput input = draw(c);
    const auto start = std::chrono::steady_clock::now();
    const Outcome outcome = run_case(kernel, c, input);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    CHECK_FALSE(outcome.o.empty());
#ifndef SAGEJIT_SANITIZE
    CHECK(took.count() < 2.0);
#endif
}

TEST_CASE("launches on the same buffers write the same bytes") {
    Case c;
    c.spec = make_spec(64, Granularity::kThread, CausalMode::kTopLeft);
    c.spec.lse = true;
    c.shape = {1, 2, 1, 70, 130};
    c.layout = Layout::kOdd;
    CHECK(first_unlike(kernel_for(c, Device::host()), c, draw(c), 3) == 0);
}
