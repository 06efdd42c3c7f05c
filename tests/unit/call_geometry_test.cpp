// What a kernel remembers of its last call: never more than holds for the next.
#include "call_geometry.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "arguments.h"
#include "launch.h"
#include "sagejit/generator/plan.h"
#include "value_map.h"

using namespace sagejit;

namespace {

void* address(uintptr_t value) { return reinterpret_cast<void*>(value); }

// Counts the maps it makes; a map holds the address it is of.
class CountingExecutor : public Executor {
  public:
    ReadyStep make_ready(const LaunchStep& step, bool) const override {
        return {.function = &step};
    }
    void encode_tensor_map(const TensorMapRequest& request, abi::TensorMap& map) const override {
        check_tensor_map(request);
        ++maps;
        map.words[0] = reinterpret_cast<uintptr_t>(request.base);
    }
    void run(std::span<const ReadyStep>, const abi::Call&) const override { ++runs; }
    mutable int maps = 0, runs = 0;
};

std::string_view entry_of(const ReadyStep& step) {
    return static_cast<const LaunchStep*>(step.function)->entry;
}

Plan plan_of(const char* target, bool lse = false) {
    Spec spec;
    spec.head_dim = spec.head_dim_v = 64;
    spec.lse = lse;
    return make_plan(spec, find_target(target));
}

// B 2, heads 6 over 3, 100 queries, 50 keys.
Arguments good_arguments(bool lse = false) {
    const auto tensor = [](uintptr_t at, int64_t heads, int64_t len) {
        return TensorRef::contiguous(address(at), DataType::kFp16, {2, heads, len, 64});
    };
    Arguments arguments;
    arguments.q = tensor(0x100000, 6, 100);
    arguments.k = tensor(0x200000, 3, 50);
    arguments.v = tensor(0x300000, 3, 50);
    arguments.o = tensor(0x400000, 6, 100);
    if (lse) arguments.lse = static_cast<float*>(address(0x500000));
    arguments.logit_scale = 0.125f;
    return arguments;
}

struct Call {
    Arguments arguments;
    void* workspace = address(0x1000000);
    size_t bytes = size_t{1} << 30;
    void* stream = nullptr;
};

// The argument block as it is without a memory of other calls, or what is wrong with the call.
std::optional<abi::Call> made_anew(const Plan& plan, const Call& call, std::string& problem) {
    const CountingExecutor executor;
    try {
        const Shape shape = shape_of(call.arguments);
        check_layouts(plan, call.arguments);
        const Workspace layout = make_workspace(plan, shape);
        check_values(plan, call.arguments, shape);
        check_workspace(call.workspace, call.bytes, layout.bytes);
        abi::Call made = make_call(call.arguments, shape, layout, call.workspace);
        if (launch_steps(plan, shape, layout).size() > 0 && set_value_path(plan, made)) {
            add_value_map(plan, call.arguments, executor, made);
        }
        return made;
    } catch (const Error& error) {
        problem = error.what();
        return std::nullopt;
    }
}

// Calls that differ from a good one in one respect each; some cannot be launched.
std::vector<Call> variants(bool lse) {
    const std::vector<std::function<void(Call&)>> changes = {
        [](Call&) {},
        [](Call& c) { c.arguments.q.data = address(0x110000); },
        [](Call& c) { c.arguments.k.data = address(0x210000); },
        [](Call& c) { c.arguments.v.data = address(0x310000); },
        [](Call& c) { c.arguments.v.data = address(0x310002); },
        [](Call& c) { c.arguments.o.data = address(0x410008); },
        [](Call& c) { c.arguments.q.data = nullptr; },
        [](Call& c) { c.arguments.k.data = nullptr; },
        [](Call& c) { c.arguments.v.data = nullptr; },
        [](Call& c) { c.arguments.o.data = nullptr; },
        [](Call& c) { c.arguments.q.data = address(0x100001); },
        [](Call& c) { c.arguments.k.data = address(0x200001); },
        [](Call& c) { c.arguments.v.data = address(0x300001); },
        [](Call& c) { c.arguments.o.data = address(0x400001); },
        [](Call& c) { c.arguments.lse = static_cast<float*>(address(0x600000)); },
        [](Call& c) { c.arguments.lse = static_cast<float*>(address(0x600002)); },
        [](Call& c) { c.arguments.lse = nullptr; },
        [](Call& c) { c.arguments.logit_scale = 0.5f; },
        [](Call& c) { c.arguments.logit_scale = -0.0f; },
        [](Call& c) { c.arguments.logit_scale = NAN; },
        [](Call& c) { c.arguments.logit_scale = INFINITY; },
        [](Call& c) { c.workspace = address(0x2000000); },
        [](Call& c) { c.workspace = address(0x1000080); },
        [](Call& c) { c.workspace = nullptr; },
        [](Call& c) { c.stream = address(0x700000); },
        [](Call& c) { c.bytes = 256; },
        [](Call& c) { c.bytes = 0; },
        [](Call& c) { c.arguments.k.shape[2] = c.arguments.v.shape[2] = 49; },
        [](Call& c) { c.arguments.k.shape[2] = 49; },
        [](Call& c) { c.arguments.v.strides[2] = 128; },
        [](Call& c) { c.arguments.v.strides[3] = 2; },
        [](Call& c) { c.arguments.q.dtype = DataType::kBf16; },
        [](Call& c) {  // of no size that there is
            for (TensorRef* t : {&c.arguments.q, &c.arguments.k, &c.arguments.v, &c.arguments.o}) {
                t->shape = {-1, -1, -1, -1};
                t->strides = {};
            }
        },
        [](Call& c) {  // no keys, and no memory for them
            c.arguments.k.shape[2] = c.arguments.v.shape[2] = 0;
            c.arguments.k.data = c.arguments.v.data = nullptr;
        },
        [](Call& c) {  // nothing to do
            for (TensorRef* t : {&c.arguments.q, &c.arguments.k, &c.arguments.v, &c.arguments.o}) {
                t->shape[0] = 0;
            }
            c.workspace = nullptr;
            c.bytes = 0;
        },
    };
    std::vector<Call> calls;
    for (const auto& change : changes) {
        Call& call = calls.emplace_back(Call{good_arguments(lse)});
        change(call);
    }
    return calls;
}

}  // namespace

TEST_CASE("what a kernel remembers of a call changes nothing about the next", "[arguments]") {
    for (const char* target : {"sm_80", "sm_90a"}) {
        for (const bool lse : {false, true}) {
            const Plan plan = plan_of(target, lse);
            const CountingExecutor executor;
            const std::vector<Call> calls = variants(lse);
            size_t made = 0;
            // Every variant after every other.
            for (size_t first = 0; first < calls.size(); ++first) {
                CallGeometry geometry(plan, executor);
                for (size_t second = 0; second < calls.size(); ++second) {
                    for (const size_t index : {first, second}) {
                        INFO(target << ", lse " << lse << ", call " << index << " of " << first
                                    << " and " << second);
                        const Call& call = calls[index];
                        std::string expected, problem;
                        const auto block = made_anew(plan, call, expected);
                        try {
                            geometry.set(call.arguments, call.workspace, call.bytes, call.stream);
                        } catch (const Error& error) {
                            problem = error.what();
                        }
                        REQUIRE(problem == expected);
                        if (!block) continue;
                        ++made;
                        const Workspace layout = make_workspace(plan, shape_of(call.arguments));
                        const LaunchSteps steps =
                            launch_steps(plan, shape_of(call.arguments), layout);
                        REQUIRE(geometry.steps().size() == steps.size());
                        if (steps.empty()) continue;
                        for (size_t i = 0; i < steps.size(); ++i) {
                            REQUIRE(entry_of(geometry.steps()[i]) == steps[i].entry);
                            REQUIRE(geometry.steps()[i].config.hStream == call.stream);
                        }
                        REQUIRE(entry_of(geometry.steps().back()) == "attention");
                        // A map that is not read may be of an earlier V.
                        abi::Call got = geometry.call();
                        if (block->v_packed != 0) got.v_map = block->v_map;
                        REQUIRE(std::memcmp(&got, &*block, sizeof got) == 0);
                    }
                }
            }
            CHECK(made > calls.size());
        }
    }
}

TEST_CASE("a map of V is made once for calls of the same sizes and the same V", "[arguments]") {
    const Plan plan = plan_of("sm_90a");
    const CountingExecutor executor;
    CallGeometry geometry(plan, executor);
    Call call{good_arguments()};
    const auto set = [&] {
        geometry.set(call.arguments, call.workspace, call.bytes, call.stream);
        return executor.maps;
    };
    CHECK(set() == 1);
    CHECK(set() == 1);
    call.arguments.q.data = address(0x110000);
    call.arguments.o.data = address(0x410000);
    CHECK(set() == 1);
    call.arguments.v.data = address(0x310000);
    CHECK(set() == 2);
    call.stream = address(0x700000);
    CHECK(set() == 2);
    call.arguments.v.strides[1] *= 2;
    call.arguments.v.strides[0] *= 2;
    CHECK(set() == 3);
}

TEST_CASE("without a driver a call runs at once, whatever the stream") {
    const Plan plan = plan_of("sm_80");
    const CountingExecutor executor;
    CallGeometry geometry(plan, executor);
    const Call call;
    const Arguments arguments = good_arguments();
    for (void* stream : {address(0), address(0x600000), address(1), address(2)}) {
        for (int i = 0; i < 2; ++i) {
            geometry.set(arguments, call.workspace, call.bytes, stream);
            executor.runs = 0;
            geometry.launch();
            CHECK(executor.runs == 1);
            geometry.launch_attention();
            CHECK(executor.runs == 2);
        }
    }
}
