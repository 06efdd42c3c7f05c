#include "sagejit/generator/workspace.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "configs.h"
#include "sagejit/generator/error.h"

using namespace sagejit;

namespace {

std::vector<WorkspaceRegion> regions_of(const Workspace& w) {
    return {w.tiles_drawn, w.q_int8,      w.q_scale, w.q_shift,   w.q_amax,  w.k_int8,
            w.k_meta,      w.k_sum,       w.k_amax,  w.v_work,    w.v_scale, w.v_amax,
            w.v_first_bad, w.v_chunk_bad, w.v_mean,  w.v_residue, w.v_notes};
}

Plan plan_of(const std::string& name) {
    const Spec spec = test::shipped_config(name);
    return make_plan(spec, find_target(spec.target.value_or("sm_80")));
}

}  // namespace

TEST_CASE("workspace regions are aligned, disjoint and inside") {
    for (const std::string& name : test::shipped_config_names()) {
        const Plan plan = plan_of(name);
        const Workspace workspace = make_workspace(plan, {2, 6, 3, 1001, 503});
        std::vector<WorkspaceRegion> regions = regions_of(workspace);
        regions.push_back(workspace.k_mean);
        if (plan.target.family == Family::kWgmma) {
            // Scales lie among the keys.
            const WorkspaceRegion &keys = workspace.k_int8, &scales = workspace.k_meta;
            CHECK(scales.offset > keys.offset);
            CHECK(scales.offset < keys.offset + plan.k_tile_bytes);
            std::erase_if(regions, [&](const auto& r) { return r.offset == scales.offset; });
        }
        std::erase_if(regions, [](const WorkspaceRegion& r) { return r.bytes == 0; });
        std::sort(regions.begin(), regions.end(),
                  [](const auto& a, const auto& b) { return a.offset < b.offset; });
        size_t end = 0;
        for (const WorkspaceRegion& region : regions) {
            CHECK(region.offset % 256 == 0);
            CHECK(region.offset >= end);
            end = region.offset + region.bytes;
        }
        CHECK(end <= workspace.bytes);
        const size_t queries = size_t{12} * workspace.q_tiles * plan.tile_q * plan.head_dim_padded;
        CHECK(workspace.q_int8.bytes == (plan.query_in_prologue ? 0 : queries));
    }
}

TEST_CASE("chunks cover every key once") {
    const Plan plan = plan_of("thread-d64");
    for (const int64_t len_k : {1, 63, 64, 65, 2048, 2049, 100000, 1000000}) {
        const Workspace w = make_workspace(plan, {1, 1, 1, 1, len_k});
        CHECK(int64_t{w.chunks} * w.chunk_tokens >= len_k);
        CHECK(int64_t{w.chunks - 1} * w.chunk_tokens < len_k);
        CHECK(w.chunks <= 32);
    }
}

TEST_CASE("nothing to compute takes no workspace and no launch") {
    const Plan plan = plan_of("thread-d64");
    for (const Shape& shape : {Shape{0, 2, 2, 5, 5}, Shape{1, 0, 0, 5, 5}, Shape{1, 2, 2, 0, 5}}) {
        CHECK(make_workspace(plan, shape).bytes == 0);
        CHECK(launch_steps(plan, shape).empty());
    }
    // No keys: outputs still have to be written.
    const LaunchSteps steps = launch_steps(plan, {1, 2, 2, 5, 0});
    REQUIRE_FALSE(steps.empty());
    CHECK(steps.back().entry == "attention");
}

TEST_CASE("a head's query tiles fill whole clusters") {
    Spec spec = test::shipped_config("thread-d128");
    const auto attention = [&](int cluster_q, int64_t tiles) {
        spec.cluster_q = cluster_q;
        const Plan plan = make_plan(spec, find_target("sm_90a"));
        // As many heads as CTAs run at once: no cut is better than the fewest tiles.
        return launch_steps(plan, {66, 2, 1, tiles * plan.tile_q - 7, 100}).back();
    };
    for (const int64_t tiles : {1, 2, 3, 8}) {
        CHECK(attention(1, tiles).ctas == 132 * tiles);
        CHECK(attention(1, tiles).cluster == 1);
        CHECK(attention(2, tiles).ctas == 132 * ((tiles + 1) / 2 * 2));
        CHECK(attention(2, tiles).cluster == 2);
    }
}

TEST_CASE("impossible shapes are refused by name") {
    const Plan plan = plan_of("thread-d64");
    const auto where = [&](const Shape& shape) {
        try {
            make_workspace(plan, shape);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kInvalidArgument);
            return error.where();
        }
        return std::string("accepted");
    };
    CHECK(where({-1, 2, 2, 5, 5}) == "batch");
    CHECK(where({1, 3, 2, 5, 5}) == "heads_q");
    CHECK(where({1, 3, 0, 5, 5}) == "heads_q");
    CHECK(where({1, 2, 2, 5, int64_t{1} << 40}) == "len_k");
    CHECK(where({1 << 20, 1 << 10, 1 << 10, 1024, 1024}) == "shape");
    CHECK(where({1, 2, 1, 5, 5}) == "accepted");
}

TEST_CASE("CTAs of wgmma calls draw their tiles, but not those of a cluster or with helpers") {
    Spec spec = test::shipped_config("thread-d128");
    const Target& hopper = find_target("sm_90a");
    const Shape shape{1, 4, 4, 3000, 3000};
    CHECK(make_workspace(make_plan(spec, hopper), shape).tiles_drawn.bytes == 4);
    const Plan ahead = make_plan(test::shipped_config("thread-d256"), hopper);
    REQUIRE(ahead.query_blocks == 2);
    CHECK(make_workspace(ahead, shape).tiles_drawn.bytes == 0);
    spec.causal = CausalMode::kBottomRight;
    const Plan plan = make_plan(spec, hopper);
    CHECK(make_workspace(plan, shape).tiles_drawn.bytes == 4);
    CHECK(make_workspace(plan, {1, 4, 4, 3000, 0}).tiles_drawn.bytes == 0);
    const Shape longer{1, 4, 4, 30000, 30000};
    CHECK(launch_steps(plan, shape).back().ctas_per_sm == 1);
    CHECK(launch_steps(plan, longer).back().ctas_per_sm == 1);
    spec.cluster_q = 2;
    const Plan pairs = make_plan(spec, hopper);
    CHECK(make_workspace(pairs, shape).tiles_drawn.bytes == 0);
    CHECK(launch_steps(pairs, shape).back().ctas_per_sm == 1);
    CHECK(launch_steps(pairs, longer).back().ctas_per_sm == 0);
}
