#include "sagejit/generator/source.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "configs.h"

using namespace sagejit;

TEST_CASE("same plan, same bytes; another plan, another hash") {
    const Spec spec = test::shipped_config("thread-d128");
    const Source first = emit(make_plan(spec, find_target("sm_89")));
    const Source second = emit(make_plan(spec, find_target("sm_89")));
    CHECK(first.text == second.text);
    CHECK(first.host_text == second.host_text);
    CHECK(first.hash == second.hash);
    CHECK(first.hash.size() == 32);
    Spec other = spec;
    other.stages = 2;
    CHECK(emit(make_plan(other, find_target("sm_89"))).hash != first.hash);
}

TEST_CASE("the generator's identity is its version and a hash of its sources") {
    const std::string id(generator_id());
    const std::string version(generator_version());
    REQUIRE(id.size() == version.size() + 17);
    CHECK(id.substr(0, version.size() + 1) == version + "-");
    CHECK(id.find_first_not_of("0123456789abcdef", version.size() + 1) == std::string::npos);
}

TEST_CASE("a source stands alone and says where it comes from") {
    for (const std::string& name : test::shipped_config_names()) {
        const Spec spec = test::shipped_config(name);
        const Plan plan = make_plan(spec, find_target(spec.target.value_or("sm_80")));
        const bool wgmma = plan.target.family == Family::kWgmma;
        const Source source = emit(plan);
        INFO(name);
        CHECK(source.text.find("#include") == std::string::npos);
        CHECK(source.text.find("${") == std::string::npos);
        CHECK(source.text.find(source.hash) != std::string::npos);
        CHECK(source.text.find("\"head_dim\": " + std::to_string(plan.spec.head_dim)) !=
              std::string::npos);
        const char* kernel =
            wgmma ? "templates/wgmma/kernel.cuh" : "templates/attention/kernel.cuh";
        CHECK(source.text.find(kernel) != std::string::npos);
        for (const std::string& entry : source.entries) {
            CHECK(source.text.find(entry + "(const __grid_constant__ Call call)") !=
                  std::string::npos);
        }
        CHECK(source.host_text.find("asm") == std::string::npos);
    }
}

TEST_CASE("both columns share everything but the wrappers") {
    for (const auto& [config, target] :
         {std::pair{"sage-vb-d128", "sm_80"}, std::pair{"thread-d128-bf16-pv", "sm_90a"}}) {
        const Source source = emit(make_plan(test::shipped_config(config), find_target(target)));
        const std::string marker = "\n// slot common.checks";
        const size_t device = source.text.find(marker);
        const size_t host = source.host_text.find(marker);
        REQUIRE(device != std::string::npos);
        REQUIRE(host != std::string::npos);
        CHECK(source.text.substr(device) == source.host_text.substr(host));
    }
}

TEST_CASE("emitting takes at most 5 ms") {
    const Plan plan = make_plan(test::shipped_config("thread-d128"), find_target("sm_89"));
    emit(plan);
    double best_ms = 1e9;
    for (int i = 0; i < 20; ++i) {
        const auto start = std::chrono::steady_clock::now();
        const Source source = emit(plan);
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        CHECK_FALSE(source.text.empty());
        best_ms = std::min(best_ms, took.count());
    }
#ifndef SAGEJIT_SANITIZE
    CHECK(best_ms <= 5.0);
#endif
}
