// What a call checks before it launches, and the argument block it launches with.
#include "arguments.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "error_of.h"
#include "launch.h"
#include "value_map.h"

using namespace sagejit;
using Catch::Matchers::Contains;

namespace {

constexpr int kHeadDim = 64, kHeadDimV = 96;

// Addresses are compared, never followed.
void* address(uintptr_t value) { return reinterpret_cast<void*>(value); }

Plan plan_of(bool lse = false) {
    Spec spec;
    spec.head_dim = kHeadDim;
    spec.head_dim_v = kHeadDimV;
    spec.dtype = DataType::kBf16;
    spec.output_dtype = DataType::kFp16;
    spec.lse = lse;
    return make_plan(spec, find_target("sm_80"));
}

// B 2, heads 6 over 3, 100 queries, 50 keys, all contiguous.
Arguments valid_arguments() {
    Arguments arguments;
    arguments.q = TensorRef::contiguous(address(0x10000), DataType::kBf16, {2, 6, 100, kHeadDim});
    arguments.k = TensorRef::contiguous(address(0x20000), DataType::kBf16, {2, 3, 50, kHeadDim});
    arguments.v = TensorRef::contiguous(address(0x30000), DataType::kBf16, {2, 3, 50, kHeadDimV});
    arguments.o = TensorRef::contiguous(address(0x40000), DataType::kFp16, {2, 6, 100, kHeadDimV});
    arguments.logit_scale = default_logit_scale(kHeadDim);
    return arguments;
}

void check(const Arguments& arguments, bool lse = false) {
    const Shape shape = shape_of(arguments);
    check_layouts(plan_of(lse), arguments);
    check_values(plan_of(lse), arguments, shape);
}

// The call must be refused, and say where, what was expected and what was given.
void refuses(const Arguments& arguments, const std::string& where, const std::string& expected,
             const std::string& got, bool lse = false) {
    const Error error = error_of([&] { check(arguments, lse); });
    INFO(error.what());
    CHECK(error.code() == ErrorCode::kInvalidArgument);
    CHECK(error.where() == where);
    CHECK_THAT(error.message(), Contains(expected));
    CHECK_THAT(error.message(), Contains("got " + got));
}

}  // namespace

TEST_CASE("contiguous tensors have the strides of their shape", "[arguments]") {
    const TensorRef tensor = TensorRef::contiguous(nullptr, DataType::kFp16, {2, 3, 5, 64});
    CHECK(tensor.strides == std::array<int64_t, 4>{960, 320, 64, 1});
    const TensorRef empty = TensorRef::contiguous(nullptr, DataType::kFp16, {2, 3, 0, 64});
    CHECK(empty.strides == std::array<int64_t, 4>{192, 64, 64, 1});
    CHECK(default_logit_scale(64) == 0.125f);
}

TEST_CASE("the shape of a call comes from its tensors", "[arguments]") {
    const Shape shape = shape_of(valid_arguments());
    CHECK(shape.batch == 2);
    CHECK(shape.heads_q == 6);
    CHECK(shape.heads_kv == 3);
    CHECK(shape.len_q == 100);
    CHECK(shape.len_k == 50);
    check(valid_arguments());
}

TEST_CASE("tensors that disagree are refused by name", "[arguments]") {
    Arguments arguments = valid_arguments();
    SECTION("batch of k") {
        arguments.k.shape[0] = 3;
        refuses(arguments, "k.shape[0] (batch)", "expected 2 as in q.shape[0] (batch)", "3");
    }
    SECTION("batch of v") {
        arguments.v.shape[0] = 1;
        refuses(arguments, "v.shape[0] (batch)", "expected 2", "1");
    }
    SECTION("batch of o") {
        arguments.o.shape[0] = 1;
        refuses(arguments, "o.shape[0] (batch)", "expected 2", "1");
    }
    SECTION("heads of v") {
        arguments.v.shape[1] = 6;
        refuses(arguments, "v.shape[1] (heads)", "expected 3 as in k.shape[1]", "6");
    }
    SECTION("heads of o") {
        arguments.o.shape[1] = 3;
        refuses(arguments, "o.shape[1] (heads)", "expected 6", "3");
    }
    SECTION("length of v") {
        arguments.v.shape[2] = 51;
        refuses(arguments, "v.shape[2] (len)", "expected 50", "51");
    }
    SECTION("length of o") {
        arguments.o.shape[2] = 99;
        refuses(arguments, "o.shape[2] (len)", "expected 100", "99");
    }
    SECTION("head dimension of k") {
        arguments.k.shape[3] = 128;
        refuses(arguments, "k.shape[3] (dim)", "expected 64 as in q.shape[3]", "128");
    }
    SECTION("head dimension of o") {
        arguments.o.shape[3] = 64;
        refuses(arguments, "o.shape[3] (dim)", "expected 96 as in v.shape[3]", "64");
    }
    SECTION("heads that do not divide") {
        arguments.q.shape[1] = arguments.o.shape[1] = 7;
        refuses(arguments, "q.shape[1] (heads)", "expected a multiple of k.shape[1]", "7");
    }
    SECTION("no key heads") {
        arguments.k.shape[1] = arguments.v.shape[1] = 0;
        refuses(arguments, "q.shape[1] (heads)", "which is 0", "6");
    }
    SECTION("a negative size") {
        arguments.q.shape[2] = -1;
        refuses(arguments, "q.shape[2] (len)", "expected 0 or more", "-1");
    }
}

TEST_CASE("tensors that are not what the spec says are refused", "[arguments]") {
    Arguments arguments = valid_arguments();
    SECTION("type of q") {
        arguments.q.dtype = DataType::kFp16;
        refuses(arguments, "q.dtype", "expected bf16", "fp16");
    }
    SECTION("type of v") {
        arguments.v.dtype = DataType::kFp16;
        refuses(arguments, "v.dtype", "expected bf16", "fp16");
    }
    SECTION("type of o") {
        arguments.o.dtype = DataType::kBf16;
        refuses(arguments, "o.dtype", "expected fp16", "bf16");
    }
    SECTION("head dimension") {
        arguments.q.shape[3] = arguments.k.shape[3] = 128;
        refuses(arguments, "q.shape[3] (dim)", "expected 64", "128");
    }
    SECTION("head dimension of v") {
        arguments.v.shape[3] = arguments.o.shape[3] = 64;
        refuses(arguments, "v.shape[3] (dim)", "expected 96", "64");
    }
}

TEST_CASE("pointers are checked", "[arguments]") {
    Arguments arguments = valid_arguments();
    SECTION("null") {
        arguments.k.data = nullptr;
        refuses(arguments, "k.data", "expected memory for shape [2, 3, 50, 64]", "null");
    }
    SECTION("between elements") {
        arguments.v.data = address(0x30001);
        refuses(arguments, "v.data", "aligned to 2 bytes", "0x30001");
    }
    SECTION("lse missing") {
        refuses(arguments, "lse", "expected memory for 1200 floats", "null", true);
    }
    SECTION("lse not asked for") {
        arguments.lse = static_cast<float*>(address(0x50000));
        refuses(arguments, "lse", "expected null", "a pointer");
    }
    SECTION("lse between floats") {
        arguments.lse = static_cast<float*>(address(0x50002));
        refuses(arguments, "lse", "aligned to 4 bytes", "0x50002", true);
    }
    SECTION("nothing to point to") {
        // No keys: k and v need no memory, o and lse do.
        arguments.k = TensorRef::contiguous(nullptr, DataType::kBf16, {2, 3, 0, kHeadDim});
        arguments.v = TensorRef::contiguous(nullptr, DataType::kBf16, {2, 3, 0, kHeadDimV});
        check(arguments);
        // No queries: only k and v do.
        arguments = valid_arguments();
        arguments.q = TensorRef::contiguous(nullptr, DataType::kBf16, {2, 6, 0, kHeadDim});
        arguments.o = TensorRef::contiguous(nullptr, DataType::kFp16, {2, 6, 0, kHeadDimV});
        check(arguments, true);
    }
}

TEST_CASE("logit_scale must be a number", "[arguments]") {
    Arguments arguments = valid_arguments();
    arguments.logit_scale = std::numeric_limits<float>::quiet_NaN();
    refuses(arguments, "logit_scale", "expected a finite number", "nan");
    arguments.logit_scale = -std::numeric_limits<float>::infinity();
    refuses(arguments, "logit_scale", "expected a finite number", "-inf");
}

TEST_CASE("strides the kernels cannot follow are refused", "[arguments]") {
    Arguments arguments = valid_arguments();
    SECTION("dimension that is not contiguous") {
        arguments.q.strides[3] = 2;
        refuses(arguments, "q.strides[3] (dim)", "expected 1", "2");
    }
    SECTION("backwards") {
        arguments.k.strides[2] = -64;
        refuses(arguments, "k.strides[2] (len)", "expected 0 or more", "-64");
    }
    SECTION("tokens too far apart") {
        arguments.q.strides[2] = int64_t{1} << 31;
        refuses(arguments, "q.strides[2] (len)", "expected at most 2147483647", "2147483648");
    }
    SECTION("offsets past 64 bits") {
        arguments.v.strides[0] = std::numeric_limits<int64_t>::max();
        const Error error = error_of([&] { check(arguments); });
        CHECK(error.where() == "v.strides[0] (batch)");
        CHECK_THAT(error.message(), Contains("64-bit"));
        arguments.v.strides[0] = std::numeric_limits<int64_t>::max() / 4;
        arguments.v.strides[1] = std::numeric_limits<int64_t>::max() / 4;
        CHECK(error_of([&] { check(arguments); }).where() == "v.strides[1] (heads)");
    }
    SECTION("an output that repeats a row") {
        arguments.o.strides[2] = 0;
        refuses(arguments, "o.strides[2] (len)", "expected at least 1", "0");
    }
    SECTION("an output whose rows overlap") {
        arguments.o.strides[2] = 95;
        refuses(arguments, "o.strides[2] (len)", "expected at least 96", "95");
    }
    SECTION("an output whose heads overlap") {
        arguments.o.strides[1] = 99 * 96;
        refuses(arguments, "o.strides[1] (heads)", "expected at least 9600", "9504");
    }
}

TEST_CASE("strides of other layouts are accepted", "[arguments]") {
    Arguments arguments = valid_arguments();
    SECTION("[batch, len, heads, dim]") {
        arguments.q.strides = {100 * 6 * 64, 64, 6 * 64, 1};
        arguments.o.strides = {100 * 6 * 96, 96, 6 * 96, 1};
    }
    SECTION("a slice of fused tensors") {
        arguments.k.strides = {50 * 1000, 64, 1000, 1};
        arguments.o.strides = {100 * 5000, 96, 5000, 1};
    }
    SECTION("keys shared by the batch") { arguments.k.strides[0] = arguments.v.strides[0] = 0; }
    SECTION("any stride where there is one element") {
        arguments = valid_arguments();
        for (TensorRef* tensor : {&arguments.q, &arguments.k, &arguments.v, &arguments.o}) {
            tensor->shape[0] = 1;
            tensor->strides[0] = -7;
        }
    }
    check(arguments);
}

TEST_CASE("the workspace is checked", "[arguments]") {
    check_workspace(nullptr, 0, 0);
    check_workspace(address(0x100), 512, 512);
    const auto where = [](void* data, size_t bytes) {
        return error_of([&] { check_workspace(data, bytes, 512); }).where();
    };
    CHECK(where(nullptr, 512) == "workspace");
    CHECK(where(address(0x180), 512) == "workspace");
    CHECK(where(address(0x100), 511) == "workspace_bytes");
    const Error error = error_of([] { check_workspace(address(0x100), 511, 512); });
    CHECK_THAT(error.message(), Contains("expected at least 512, got 511"));
}

TEST_CASE("the argument block says where everything is", "[arguments]") {
    const Plan plan = plan_of(true);
    Arguments arguments = valid_arguments();
    arguments.lse = static_cast<float*>(address(0x50000));
    const Shape shape = shape_of(arguments);
    const Workspace layout = make_workspace(plan, shape);
    const abi::Call call = make_call(arguments, shape, layout, address(0x100000));
    CHECK(call.q.data == address(0x10000));
    CHECK(call.k.stride_batch == 3 * 50 * 64);
    CHECK(call.k.stride_head == 50 * 64);
    CHECK(call.k.stride_token == 64);
    CHECK(call.lse == arguments.lse);
    CHECK(call.batch == 2);
    CHECK(call.heads_q == 6);
    CHECK(call.heads_kv == 3);
    CHECK(call.group_size == 2);
    CHECK(call.len_q == 100);
    CHECK(call.len_k == 50);
    CHECK(call.q_tiles == layout.q_tiles);
    CHECK(call.k_tiles == layout.k_tiles);
    CHECK(call.chunks == layout.chunks);
    CHECK(call.chunk_tokens == layout.chunk_tokens);
    CHECK(call.logit_scale == 0.125f);
    CHECK(call.q_int8 == address(0x100000 + layout.q_int8.offset));
    CHECK(call.k_meta == address(0x100000 + layout.k_meta.offset));
    CHECK(call.q_shift == address(0x100000 + layout.q_shift.offset));
    CHECK(layout.q_amax.bytes == 0);
    CHECK(call.q_amax == nullptr);
}

TEST_CASE("a divisor divides every number below 2^31", "[arguments]") {
    Spec spec;
    spec.head_dim = spec.head_dim_v = kHeadDim;
    const Plan plan = make_plan(spec, find_target("sm_90a"));
    constexpr uint32_t kEnd = uint32_t{1} << 31;
    for (uint32_t heads = 1; heads < kEnd / 3; heads += heads / 3 + 1) {
        abi::Call call{};
        call.batch = call.q_tiles = call.group_size = 1;
        call.heads_q = static_cast<int32_t>(heads);
        set_tile_order(plan, call);
        const auto check = [&](uint32_t number) {
            const uint64_t product = uint64_t{number} * call.by_heads_q.multiplier;
            const uint32_t sum = number + static_cast<uint32_t>(product >> 32);
            INFO(number << " by " << heads);
            if (number < kEnd) CHECK(sum >> call.by_heads_q.shift == number / heads);
        };
        for (const uint32_t multiple : {uint32_t{0}, heads, (kEnd - 1) / heads * heads}) {
            if (multiple > 0) check(multiple - 1);
            check(multiple);
            check(multiple + heads - 1);
        }
    }
}

TEST_CASE("rows are read as vectors where all of them start on 16 bytes", "[arguments]") {
    const Plan plan = plan_of();
    Arguments arguments = valid_arguments();
    const auto vector = [&] {
        const Shape shape = shape_of(arguments);
        return make_call(arguments, shape, make_workspace(plan, shape), address(0x100000))
            .q.vector_access;
    };
    CHECK(vector() == 1);
    arguments.q.data = address(0x10008);
    CHECK(vector() == 0);
    arguments.q.data = address(0x10010);
    CHECK(vector() == 1);
    for (int axis = 0; axis < 3; ++axis) {
        const int64_t stride = arguments.q.strides[axis];
        arguments.q.strides[axis] += 4;
        CHECK(vector() == 0);
        arguments.q.strides[axis] = stride + 8;
        CHECK(vector() == 1);
        arguments.q.strides[axis] = stride;
    }
    // One batch: its stride leads nowhere.
    for (TensorRef* tensor : {&arguments.q, &arguments.k, &arguments.v, &arguments.o}) {
        tensor->shape[0] = 1;
    }
    arguments.q.strides[0] = 3;
    CHECK(vector() == 1);
}
