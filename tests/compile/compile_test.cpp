// Every shipped config on every target compiles with NVRTC: no warning, no spill in attention.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "compile_cubin.h"
#include "configs.h"
#include "cubin.h"
#include "need_nvrtc.h"
#include "sagejit/generator/source.h"

using namespace sagejit;

namespace {

// Shipped configs with P*V in bf16; those with granularity token or tensor, P*V in int8, or fp16
// accumulators, and bf16 inputs whose P*V is in fp16.
constexpr size_t kForWgmma = 5, kNotForWgmma = 9;

// What is wrong with one config on one target; empty when nothing is.
std::string fault_of(const std::string& name, const Target& target, int cluster_q = 1,
                     std::optional<int> tile_k = {}) {
    try {
        Spec spec = test::shipped_config(name);
        spec.cluster_q = cluster_q;
        if (tile_k) spec.tile_k = tile_k;
        const Plan plan = make_plan(spec, target);
        const Source source = emit(plan);
        const CompiledCubin cubin = compile_cubin(source.text, target.name, name);
        if (!cubin.warnings.empty()) return "warnings: " + cubin.warnings;
        if (cubin_arch(cubin.bytes) != target.arch) return "a cubin of another architecture";
        if (cubin.entries.size() != source.entries.size()) return "missing entries";
        for (const CubinEntry& entry : cubin.entries) {
            if (entry.spill_store_bytes > 0 || entry.spill_load_bytes > 0) {
                return entry.symbol + " spills " + std::to_string(entry.spill_store_bytes) +
                       " bytes";
            }
            if (entry.symbol == "attention" &&
                entry.registers * plan.threads * plan.ctas_per_sm > target.registers_per_sm) {
                return "more registers than ctas_per_sm allows";
            }
        }
    } catch (const std::exception& error) {
        return error.what();
    }
    return {};
}

// unsupported: how many configs are not for this target.
void check_target(const char* target_name, size_t unsupported, int cluster_q = 1) {
    test::need_nvrtc();
    const Target& target = find_target(target_name);
    std::vector<std::string> names = test::shipped_config_names();
    REQUIRE(names.size() >= 12);
    // What a target cannot hold is left out there, and only there.
    const size_t all = names.size();
    std::erase_if(names, [&](const std::string& name) {
        return !supports(target, test::shipped_config(name));
    });
    CHECK(all - names.size() == unsupported);
    std::vector<std::string> faults(names.size());
    std::atomic<size_t> next = 0;
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
        workers.emplace_back([&] {
            for (size_t index = next++; index < names.size(); index = next++) {
                faults[index] = fault_of(names[index], target, cluster_q);
            }
        });
    }
    for (std::thread& worker : workers) worker.join();
    for (size_t i = 0; i < names.size(); ++i) {
        INFO(names[i] << " on " << target_name);
        CHECK(faults[i] == "");
    }
}

}  // namespace

TEST_CASE("shipped configs compile for sm_80") { check_target("sm_80", kForWgmma); }
TEST_CASE("shipped configs compile for sm_86") { check_target("sm_86", kForWgmma); }
TEST_CASE("shipped configs compile for sm_87") { check_target("sm_87", kForWgmma); }
TEST_CASE("shipped configs compile for sm_89") { check_target("sm_89", kForWgmma); }
TEST_CASE("shipped configs compile for sm_90") { check_target("sm_90", kForWgmma); }
TEST_CASE("shipped configs compile for sm_90a") { check_target("sm_90a", kNotForWgmma); }
TEST_CASE("shipped configs compile in clusters of two") { check_target("sm_90a", kNotForWgmma, 2); }
TEST_CASE("shipped configs compile for sm_100") { check_target("sm_100", kForWgmma); }
TEST_CASE("shipped configs compile for sm_120") { check_target("sm_120", kForWgmma); }

TEST_CASE("short key tiles of wide heads, which the quantizer takes in few passes, compile too") {
    test::need_nvrtc();
    for (const int tile_k : {32, 48}) {
        INFO(tile_k);
        CHECK(fault_of("thread-d256", find_target("sm_90a"), 1, tile_k) == "");
    }
}
