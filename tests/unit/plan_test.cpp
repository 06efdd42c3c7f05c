#include "sagejit/generator/plan.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "configs.h"
#include "sagejit/generator/error.h"

using namespace sagejit;

namespace {

Spec spec_of(int head_dim, int head_dim_v = 0) {
    Spec spec;
    spec.head_dim = head_dim;
    spec.head_dim_v = head_dim_v > 0 ? head_dim_v : head_dim;
    return spec;
}

// Bank group (16-byte column of 128 bytes) of a chunk in a swizzled region.
int bank_group(const SharedRegion& region, int row, int chunk) {
    const int flipped = chunk ^ (row / region.swizzle_rows & (region.swizzle_chunks - 1));
    return (row * region.row_bytes / 16 + flipped) % 8;
}

}  // namespace

TEST_CASE("every head dim has a plan on every target that fits it") {
    for (const Target& target : all_targets()) {
        for (int dim = kMinHeadDim; dim <= kMaxHeadDim; dim += kHeadDimStep) {
            for (const DataType dtype : {DataType::kFp16, DataType::kBf16}) {
                Spec spec = spec_of(dim);
                spec.dtype = spec.output_dtype = dtype;
                const bool wgmma = target.family == Family::kWgmma;
                if (wgmma && dtype == DataType::kBf16) spec.pv_type = PvType::kBf16;
                const Plan plan = make_plan(spec, target);
                INFO(target.name << " head_dim " << dim);
                CHECK(plan.shared_bytes <= target.shared_per_cta);
                CHECK(plan.ctas_per_sm * (plan.shared_bytes + target.shared_reserved) <=
                      target.shared_per_sm);
                CHECK(plan.ctas_per_sm * plan.threads <= target.threads_per_sm);
                CHECK(plan.register_estimate <= target.registers_per_thread);
                CHECK(plan.head_dim_padded % 32 == 0);
                CHECK(plan.head_dim_v_padded % (wgmma ? 8 : 16) == 0);
                CHECK(plan.warps * plan.warp_q == plan.tile_q);
            }
        }
    }
}

TEST_CASE("swizzled rows of one ldmatrix fall into eight bank groups") {
    for (int dim = kMinHeadDim; dim <= kMaxHeadDim; dim += kHeadDimStep) {
        for (const PvType type : {PvType::kFp16, PvType::kInt8}) {
            Spec spec = spec_of(dim);
            spec.pv_type = type;
            if (type == PvType::kInt8) spec.pv_accum = PvAccum::kFp32PromoteInt32;
            const Plan plan = make_plan(spec, find_target("sm_90"));
            for (const SharedRegion& region : plan.stage_regions) {
                if (region.name == "meta") continue;
                const int chunks = region.row_bytes / 16;
                for (int first = 0; first < region.rows; first += 8) {
                    for (int chunk = 0; chunk < chunks; ++chunk) {
                        std::set<int> groups;
                        for (int row = first; row < first + 8; ++row) {
                            groups.insert(bank_group(region, row, chunk));
                        }
                        INFO(region.name << " head_dim " << dim << " row " << first << " chunk "
                                         << chunk);
                        REQUIRE(groups.size() == 8);
                    }
                }
                for (int row = 0; row < region.rows; ++row) {
                    std::set<int> places;
                    for (int chunk = 0; chunk < chunks; ++chunk) {
                        const int flip = row / region.swizzle_rows & (region.swizzle_chunks - 1);
                        places.insert(chunk ^ flip);
                    }
                    REQUIRE(static_cast<int>(places.size()) == chunks);
                    REQUIRE(*places.rbegin() == chunks - 1);
                }
            }
        }
    }
}

TEST_CASE("stage regions do not overlap and are aligned") {
    for (const std::string& name : test::shipped_config_names()) {
        const Spec spec = test::shipped_config(name);
        for (const Target& target : all_targets()) {
            if (!supports(target, spec)) continue;
            const Plan plan = make_plan(spec, target);
            int end = 0;
            for (const SharedRegion& region : plan.stage_regions) {
                CHECK(region.offset >= end);
                // wgmma's scales follow the keys at once: they arrive as one copy. Then mbarriers.
                const bool packed = (region.name == "meta" && target.family == Family::kWgmma) ||
                                    region.name == "barriers" || region.name == "order";
                CHECK(region.offset % (packed ? 16 : 128) == 0);
                CHECK(region.bytes == region.rows * region.row_bytes);
                end = region.offset + region.bytes;
            }
            CHECK(end <= plan.stage_bytes);
        }
    }
}

TEST_CASE("tile choices of a spec are honoured or refused") {
    Spec spec = spec_of(64);
    spec.tile_q = 64;
    spec.tile_k = 96;
    spec.warp_q = 32;
    spec.stages = 2;
    const Plan plan = make_plan(spec, find_target("sm_90"));
    CHECK(plan.tile_q == 64);
    CHECK(plan.tile_k == 96);
    CHECK(plan.warp_q == 32);
    CHECK(plan.stages == 2);

    Spec large = spec_of(256);
    large.tile_k = 64;
    large.stages = 4;
    try {
        make_plan(large, find_target("sm_86"));
        FAIL("sm_86 cannot hold four stages of 64 keys at head_dim 256");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kUnsupportedTarget);
        CHECK(std::string(error.what()).find("101376") != std::string::npos);
        CHECK(error.where() == "/tile");
        CHECK(error.fix().find("stages 2") != std::string::npos);
    }

    Spec registers = spec_of(256);
    registers.warp_q = 32;
    CHECK_THROWS_AS(make_plan(registers, find_target("sm_90")), Error);
}

TEST_CASE("queries a tile are honoured wherever registers last, or refused with what is legal") {
    for (const Target& target : all_targets()) {
        if (target.family == Family::kWgmma) continue;
        for (int dim = kMinHeadDim; dim <= kMaxHeadDim; dim += kHeadDimStep) {
            for (const CausalMode causal : {CausalMode::kNone, CausalMode::kTopLeft}) {
                for (const int tile_q : {32, 64, 128, 256}) {
                    INFO(target.name << " head_dim " << dim << " tile_q " << tile_q);
                    Spec spec = spec_of(dim);
                    spec.causal = causal;
                    spec.tile_q = tile_q;
                    if (supports(target, spec)) {
                        CHECK(make_plan(spec, target).tile_q == tile_q);
                        continue;
                    }
                    REQUIRE(tile_q == 256);
                    try {
                        make_plan(spec, target);
                        FAIL("not refused");
                    } catch (const Error& error) {
                        CHECK(error.where() == "/tile/tile_q");
                        CHECK(error.fix() == "nearest legal value: 128");
                    }
                }
            }
        }
    }
    Spec asked = spec_of(128);
    asked.causal = CausalMode::kTopLeft;
    asked.tile_q = 256;
    CHECK_FALSE(supports(find_target("sm_90"), asked));
    asked.warp_q = 32;  // whoever asks for what spills gets it
    CHECK(supports(find_target("sm_90"), asked));
}

TEST_CASE("candidates are legal, different, and begin with the default") {
    for (const char* name : {"thread-d64", "thread-d128", "thread-d256"}) {
        const Spec spec = test::shipped_config(name);
        for (const Target& target : all_targets()) {
            const std::vector<Plan> plans = candidates(spec, target);
            REQUIRE(plans.size() >= 3);
            CHECK(supports(target, spec));
            CHECK(plan_json(plans.front()) == plan_json(make_plan(spec, target)));
            std::set<std::string> texts;
            for (const Plan& plan : plans) {
                CHECK(plan.shared_bytes <= target.shared_per_cta);
                texts.insert(plan_json(plan));
            }
            CHECK(texts.size() == plans.size());
        }
    }
}

TEST_CASE("a resolved spec plans to itself") {
    for (const std::string& name : test::shipped_config_names()) {
        const Spec spec = test::shipped_config(name);
        const Target& target = find_target(spec.target.value_or("sm_89"));
        const Plan plan = make_plan(spec, target);
        CHECK(plan_json(make_plan(plan.spec, plan.target)) == plan_json(plan));
    }
}

TEST_CASE("plans print as text and as JSON") {
    const Plan plan = make_plan(test::shipped_config("thread-d128"), find_target("sm_89"));
    const nlohmann::json json = nlohmann::json::parse(plan_json(plan));
    CHECK(json["target"] == "sm_89");
    CHECK(json["attention"]["tile_k"] == plan.tile_k);
    CHECK(json["shared_memory"]["stage_regions"].size() == plan.stage_regions.size());
    const std::string text = plan_text(plan);
    for (const char* word : {"tile_q", "stages", "register_estimate", "granularity", "grid"}) {
        CHECK(text.find(word) != std::string::npos);
    }
}

TEST_CASE("targets are found by name and by device") {
    CHECK(find_target("sm_89").arch == 89);
    CHECK_THROWS_AS(find_target("sm_91"), Error);
    CHECK_THROWS_AS(find_target(""), Error);
    CHECK(find_target("sm_90a").family == Family::kWgmma);
    CHECK_FALSE(find_target("sm_90a") == find_target("sm_90"));
    CHECK(target_for_device(9, 0).name == "sm_90");
    CHECK(target_for_device(8, 9).name == "sm_89");
    CHECK(target_for_device(12, 1).name == "sm_120");
    CHECK(target_for_device(10, 3).name == "sm_100");
    CHECK_THROWS_AS(target_for_device(7, 5), Error);
    CHECK_THROWS_AS(target_for_device(13, 0), Error);
}

TEST_CASE("a device gets the best target that can hold a spec") {
    const auto names = [](int major, int minor) {
        std::vector<std::string_view> all;
        for (const Target* target : targets_for_device(major, minor)) all.push_back(target->name);
        return all;
    };
    CHECK(names(9, 0) == std::vector<std::string_view>{"sm_90a", "sm_90"});
    CHECK(names(8, 9) == std::vector<std::string_view>{"sm_89"});
    CHECK(names(10, 3) == std::vector<std::string_view>{"sm_100"});
    CHECK_THROWS_AS(names(7, 5), Error);

    Spec spec = spec_of(128);
    CHECK(best_target(spec, 9, 0).name == "sm_90a");
    CHECK(best_target(spec, 8, 0).name == "sm_80");
    spec.granularity = Granularity::kToken;
    CHECK(best_target(spec, 9, 0).name == "sm_90");
    spec = spec_of(128);
    spec.pv_type = PvType::kInt8;
    spec.pv_accum = PvAccum::kFp32PromoteInt32;
    CHECK(best_target(spec, 9, 0).name == "sm_90");
    spec = spec_of(128);
    spec.dtype = spec.output_dtype = DataType::kBf16;
    CHECK(best_target(spec, 9, 0).name == "sm_90");
    spec.pv_type = PvType::kBf16;
    CHECK(best_target(spec, 9, 0).name == "sm_90a");
}

TEST_CASE("wgmma plans honour tile choices or refuse them with a way out") {
    const Target& hopper = find_target("sm_90a");
    Spec spec = spec_of(128);
    spec.tile_q = 128;
    spec.tile_k = 112;
    spec.stages = 3;
    const Plan plan = make_plan(spec, hopper);
    CHECK(plan.tile_q == 128);
    CHECK(plan.tile_k == 112);
    CHECK(plan.stages == 3);
    CHECK(plan.groups == 2);

    const auto refusal = [&](auto change) {
        Spec refused = spec_of(128);
        change(refused);
        CHECK_FALSE(supports(hopper, refused));
        try {
            make_plan(refused, hopper);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kUnsupportedTarget);
            CHECK_FALSE(error.fix().empty());
            return error.where();
        }
        return std::string("no error");
    };
    CHECK(refusal([](Spec& s) { s.granularity = Granularity::kToken; }) == "/qk/granularity");
    CHECK(refusal([](Spec& s) { s.granularity = Granularity::kTensor; }) == "/qk/granularity");
    CHECK(refusal([](Spec& s) { s.pv_accum = PvAccum::kFp16; }) == "/pv");
    CHECK(refusal([](Spec& s) {
              s.pv_type = PvType::kInt8;
              s.pv_accum = PvAccum::kFp32PromoteInt32;
          }) == "/pv");
    CHECK(refusal([](Spec& s) { s.dtype = DataType::kBf16; }) == "/pv/type");
    CHECK(refusal([](Spec& s) { s.warp_q = 32; }) == "/tile/warp_q");
    CHECK(refusal([](Spec& s) { s.tile_q = 32; }) == "/tile/tile_q");
    CHECK(refusal([](Spec& s) { s.stages = 5; }) == "/tile/stages");
    CHECK(refusal([](Spec& s) { s.tile_k = 256; }) == "/tile");
}

TEST_CASE("clusters are planned on sm_90a where asked for, and refused elsewhere") {
    Spec spec = spec_of(128);
    const Plan alone = make_plan(spec, find_target("sm_90a"));
    CHECK(alone.cluster_q == 1);
    CHECK(alone.spec.cluster_q == 1);
    spec.cluster_q = 2;
    const Plan pair = make_plan(spec, find_target("sm_90a"));
    CHECK(pair.cluster_q == 2);
    CHECK(pair.spec.cluster_q == 2);
    CHECK(pair.shared_bytes == alone.shared_bytes);
    CHECK(pair.tile_q == alone.tile_q);
    CHECK(plan_json(pair).find("\"cluster_q\": 2") != std::string::npos);
    CHECK(best_target(spec, 9, 0).name == "sm_90a");
    for (const char* target : {"sm_80", "sm_90", "sm_120"}) {
        CHECK_FALSE(supports(find_target(target), spec));
        try {
            make_plan(spec, find_target(target));
            FAIL("a plan with clusters for " << target);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kUnsupportedTarget);
            CHECK(error.where() == "/tile/cluster_q");
            CHECK(error.fix() == "nearest legal value: 1");
        }
    }
    spec.cluster_q = 1;
    CHECK(supports(find_target("sm_80"), spec));
}

TEST_CASE("what a query tile needs lies in blocks that do not overlap") {
    const Target& hopper = find_target("sm_90a");
    int ahead = 0, terms = 0;
    for (int head_dim = kMinHeadDim; head_dim <= kMaxHeadDim; head_dim += kHeadDimStep) {
        for (const bool fp8 : {false, true}) {
            for (const CausalMode causal : {CausalMode::kNone, CausalMode::kBottomRight}) {
                Spec spec = spec_of(head_dim);
                spec.causal = causal;
                if (fp8) {
                    spec.pv_type = PvType::kFp8;
                    spec.pv_accum = PvAccum::kFp32PromoteFp32;
                    spec.smooth_v = true;
                }
                for (const Plan& plan : candidates(spec, hopper)) {
                    INFO(head_dim << " fp8 " << fp8 << " tile_k " << plan.tile_k);
                    const int queries = plan.stages * plan.stage_bytes;
                    const int block_end = queries + plan.query_block_bytes;
                    CHECK(plan.scratch_offset == queries + plan.tile_q * plan.head_dim_padded);
                    int end = plan.scratch_offset + 8 * plan.q_scales_per_tile;
                    if (plan.query_blocks > 1 || plan.value_terms_offset > 0) {
                        CHECK(plan.block_signal_offset >= end);
                        end = plan.block_signal_offset + 16 + 4 * plan.warps;
                    }
                    if (plan.value_terms_offset > 0) {
                        CHECK(plan.value_terms_offset >= end);
                        end = plan.value_terms_offset + 8 * plan.spec.head_dim_v + 4;
                    }
                    CHECK(block_end >= end);
                    CHECK(plan.master_offset >=
                          queries + plan.query_blocks * plan.query_block_bytes);
                    CHECK(plan.shared_bytes >= plan.master_offset);
                    CHECK(plan.shared_bytes <= hopper.shared_per_cta);
                    ahead += plan.query_blocks == 2;
                    terms += plan.value_terms_offset > 0;
                    if (plan.query_blocks == 2) CHECK(causal == CausalMode::kNone);
                    CHECK((plan.value_terms_offset > 0) == fp8);
                }
            }
        }
    }
    CHECK(ahead > 0);
    CHECK(terms > 0);
}

TEST_CASE("fp8 values are planned on sm_90a, promoted often enough, and refused elsewhere") {
    const auto fp8 = [](int head_dim) {
        Spec spec = spec_of(head_dim);
        spec.pv_type = PvType::kFp8;
        spec.pv_accum = PvAccum::kFp32PromoteFp32;
        spec.smooth_v = true;
        return spec;
    };
    const Target& hopper = find_target("sm_90a");
    for (int head_dim = kMinHeadDim; head_dim <= kMaxHeadDim; head_dim += kHeadDimStep) {
        for (const bool smooth : {true, false}) {
            Spec spec = fp8(head_dim);
            spec.smooth_v = smooth;
            spec.causal = CausalMode::kBottomRight;
            INFO(head_dim << " smooth " << smooth);
            for (const Plan& plan : candidates(spec, hopper)) {
                const int keys = plan.promote_tiles * plan.tile_k;
                CHECK(keys > 0);
                CHECK(keys <= (smooth ? 2048 : 512));
                CHECK(plan.tile_k % 32 == 0);
                CHECK(plan.shared_bytes <= hopper.shared_per_cta);
                CHECK(plan.master_number_bytes == (head_dim > 128 ? 2 : 4));
                const int references =
                    plan.master_offset + plan.master_number_bytes * plan.tile_q * head_dim;
                CHECK(plan.master_reference_offset >= references);
                CHECK(plan.shared_bytes >= plan.master_reference_offset + 4 * plan.tile_q);
            }
            CHECK(supports(hopper, spec));
        }
    }
    for (const Target& target : all_targets()) {
        if (target.family == Family::kWgmma) continue;
        INFO(target.name);
        try {
            make_plan(fp8(128), target);
            FAIL("planned");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kUnsupportedTarget);
            CHECK(error.where() == "/pv/type");
            CHECK_FALSE(error.fix().empty());
        }
    }
    Spec odd = fp8(128);
    odd.tile_k = 80;
    try {
        make_plan(odd, hopper);
        FAIL("planned");
    } catch (const Error& error) {
        CHECK(error.where() == "/tile/tile_k");
        CHECK(error.fix() == "nearest legal value: 64");
    }
    Spec plain = fp8(128);
    plain.pv_accum = PvAccum::kFp32;
    CHECK(make_plan(plain, hopper).promote_tiles == 0);
    const std::string json = plan_json(make_plan(fp8(128), hopper));
    CHECK(json.find("\"promoted_every_keys\": 2016") != std::string::npos);
}
