// How the queries of a head are cut into tiles.
#include "sagejit/generator/query_tiles.h"

#include <array>
#include <catch2/catch.hpp>

#include "configs.h"
#include "sagejit/generator/workspace.h"

using namespace sagejit;

namespace {

Plan plan_with(int tile_q, Granularity granularity = Granularity::kThread) {
    Plan plan;
    plan.tile_q = tile_q;
    plan.spec.granularity = granularity;
    plan.has_low_tiles = true;
    return plan;
}

}  // namespace

TEST_CASE("tiles of a head are its queries, none of them empty") {
    for (const int tile_q : {64, 128, 192, 256}) {
        const Plan plan = plan_with(tile_q);
        for (const int64_t heads : {1, 2, 3, 5, 16, 64, 1000, 100000}) {
            for (const int64_t len_q : {1, 64, 65, 300, 1024, 2560, 4096, 17776, 200064}) {
                for (const int ctas : {1, 3, 78, 132}) {
                    INFO(tile_q << " rows, " << heads << " heads, " << len_q << " on " << ctas);
                    const QueryTiles tiles = cut_queries(plan, {1, heads, heads, len_q, 9}, ctas);
                    const int64_t tall_rows = int64_t{tiles.tall} * tile_q;
                    CHECK(tiles.low_rows % 64 == 0);
                    CHECK(tiles.low_rows < tile_q);
                    CHECK((tiles.low == 0) == (tiles.low_rows == 0));
                    CHECK(tall_rows + int64_t{tiles.low} * tiles.low_rows >= len_q);
                    const int64_t last = tiles.low > 0 ? tiles.low_rows : tile_q;
                    CHECK(tall_rows + int64_t{tiles.low} * tiles.low_rows - last < len_q);
                }
            }
        }
    }
}

TEST_CASE("queries are cut so that no CTA has two tall tiles where others have one") {
    const Plan plan = plan_with(192);
    const auto cut = [&](const Shape& shape, int ctas) {
        const QueryTiles tiles = cut_queries(plan, shape, ctas);
        return std::array{tiles.tall, tiles.low, tiles.low_rows};
    };
    // Of 14 tiles a head 224 would go to 132 CTAs: two turns of 192 rows, or one of each height.
    CHECK(cut({1, 16, 16, 2560, 2560}, 132) == std::array{8, 8, 128});
    // Fewer tiles than CTAs.
    CHECK(cut({1, 16, 16, 1024, 1024}, 132) == std::array{0, 8, 128});
    CHECK(cut({1, 8, 8, 1024, 1024}, 132) == std::array{0, 16, 64});
    // Nothing to gain.
    CHECK(cut({1, 132, 132, 1920, 1920}, 132) == std::array{10, 0, 0});
    CHECK(cut({1, 1000, 1000, 100100, 9}, 132) == std::array{521, 1, 128});
}

TEST_CASE("under a mask tiles of the shortest rows are low") {
    Plan plan = plan_with(192);
    plan.spec.causal = CausalMode::kBottomRight;
    const auto cut = [&](int64_t len_q) {
        const QueryTiles tiles = cut_queries(plan, {1, 2, 2, len_q, len_q}, 132);
        return std::array{tiles.tall, tiles.low, tiles.low_rows};
    };
    CHECK(cut(1024) == std::array{4, 2, 128});
    CHECK(cut(1025) == std::array{5, 1, 128});
    CHECK(cut(1152) == std::array{6, 0, 0});
    // One tile of one group, which is as low as it gets.
    CHECK(cut(64) == std::array{1, 0, 0});
    CHECK(cut(128) == std::array{0, 1, 128});
    plan.spec.granularity = Granularity::kBlock;
    CHECK(cut(1024) == std::array{6, 0, 0});
}

TEST_CASE("queries are cut into the fewest tiles where scales depend on them") {
    const Plan block = plan_with(192, Granularity::kBlock);
    const QueryTiles tiles = cut_queries(block, {1, 16, 16, 2560, 2560}, 132);
    CHECK(tiles.tall == 13);
    CHECK(tiles.low == 1);
    CHECK(tiles.low_rows == 64);
    Spec spec = test::shipped_config("thread-d64");
    const Target& hopper = find_target("sm_90a");
    CHECK(make_plan(spec, hopper).has_low_tiles);
    CHECK(make_workspace(make_plan(spec, hopper), {1, 16, 16, 2560, 2560}).low_rows == 128);
    spec.causal = CausalMode::kBottomRight;
    const Plan causal = make_plan(spec, hopper);
    const Workspace layout = make_workspace(causal, {1, 16, 16, 2560, 2560});
    CHECK(layout.tall_tiles == 12);
    CHECK(layout.q_tiles == 14);
    CHECK(layout.low_rows == 128);
    spec.cluster_q = 2;
    const Workspace pairs = make_workspace(make_plan(spec, hopper), {1, 16, 16, 2560, 2560});
    CHECK(pairs.tall_tiles == pairs.q_tiles);
    CHECK(pairs.low_rows == 0);
}

TEST_CASE("a device's multiprocessors change how queries are cut, and no size") {
    const Plan plan = make_plan(test::shipped_config("thread-d64"), find_target("sm_90a"));
    const Shape shape{1, 16, 16, 2560, 2560};
    const Workspace many = make_workspace(plan, shape, 132), few = make_workspace(plan, shape, 16);
    CHECK(many.low_rows != few.low_rows);
    CHECK(many.bytes == few.bytes);
    CHECK(many.tiles_drawn.offset == few.tiles_drawn.offset);
}
