// How many heads' query tiles the wgmma family takes together.
#include <catch2/catch.hpp>

#include "sagejit/generator/plan.h"
#include "value_map.h"

using namespace sagejit;

namespace {

struct Heads {
    int batch, heads_q, group_size, len_k;
};

// Of FP8 at head_dim 256, where a key and its value take 512 bytes.
int chunk_of(const Heads& heads, CausalMode causal) {
    Spec spec;
    spec.head_dim = spec.head_dim_v = 256;
    spec.granularity = Granularity::kThread;
    spec.pv_type = PvType::kFp8;
    spec.pv_accum = PvAccum::kFp32PromoteFp32;
    spec.smooth_v = true;
    spec.causal = causal;
    const Plan plan = make_plan(spec, find_target("sm_90a"));
    abi::Call call{};
    call.batch = heads.batch;
    call.heads_q = heads.heads_q;
    call.group_size = heads.group_size;
    call.len_k = heads.len_k;
    call.q_tiles = call.tall_tiles = 8;
    set_tile_order(plan, call);
    return call.head_chunk;
}

}  // namespace

TEST_CASE("chunks of heads fit the cache, and under a mask the last one is as full as can be") {
    const CausalMode masked = CausalMode::kBottomRight;
    // Of 24 MiB, 8 a head.
    CHECK(chunk_of({1, 3, 1, 16384}, masked) == 3);
    CHECK(chunk_of({1, 16, 1, 16384}, masked) == 2);
    CHECK(chunk_of({7, 1, 1, 16384}, masked) == 2);
    // Half a MiB.
    CHECK(chunk_of({16, 8, 1, 1024}, masked) == 32);
    CHECK(chunk_of({1, 40, 1, 1024}, masked) == 40);
    CHECK(chunk_of({5, 10, 1, 1024}, masked) == 25);
    // An eighth of a MiB: 128 is 64 less than what fits.
    CHECK(chunk_of({16, 32, 1, 256}, masked) == 128);
    // Query heads of one key head stay together.
    CHECK(chunk_of({2, 32, 8, 16384}, masked) == 16);
    // A head that does not fit, and no keys.
    CHECK(chunk_of({1, 16, 4, 1 << 20}, masked) == 4);
    CHECK(chunk_of({1, 2, 1, 0}, masked) == 2);
    // Without a mask all are as large as one another.
    CHECK(chunk_of({1, 16, 1, 16384}, CausalMode::kNone) == 3);
    CHECK(chunk_of({16, 8, 1, 1024}, CausalMode::kNone) == 43);
}
