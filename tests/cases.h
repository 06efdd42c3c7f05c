// Cases that both the host device and a GPU must pass.
#pragma once

#include <random>
#include <vector>

#include "harness.h"

namespace sagejit::test {

inline Spec make_spec(int head_dim, Granularity granularity = Granularity::kThread,
                      CausalMode causal = CausalMode::kNone) {
    Spec spec;
    spec.head_dim = spec.head_dim_v = head_dim;
    spec.granularity = granularity;
    spec.causal = causal;
    return spec;
}

// Every choice of a spec at least twice, on all kinds of head dims.
inline std::vector<Spec> diverse_specs() {
    std::vector<Spec> specs;
    const auto add = [&](int dim, int dim_v, Granularity g, CausalMode causal, auto change) {
        Spec spec = make_spec(dim, g, causal);
        spec.head_dim_v = dim_v;
        change(spec);
        specs.push_back(spec);
    };
    using G = Granularity;
    using C = CausalMode;
    const auto plain = [](Spec&) {};
    const auto lse = [](Spec& s) { s.lse = true; };
    const auto bf16 = [](Spec& s) {
        s.dtype = s.output_dtype = DataType::kBf16;
        s.lse = true;
    };
    const auto int8 = [](Spec& s) {
        s.pv_type = PvType::kInt8;
        s.pv_accum = PvAccum::kFp32PromoteInt32;
        s.lse = true;
    };
    const auto fp16 = [](Spec& s) { s.pv_accum = PvAccum::kFp16; };
    const auto promote = [](Spec& s) { s.pv_accum = PvAccum::kFp32PromoteFp16; };
    const auto rough = [](Spec& s) { s.smooth_k = false; };
    add(64, 64, G::kThread, C::kNone, lse);
    add(64, 64, G::kToken, C::kTopLeft, lse);
    add(64, 64, G::kBlock, C::kBottomRight, fp16);
    add(64, 64, G::kTensor, C::kNone, int8);
    add(128, 128, G::kThread, C::kTopLeft, bf16);
    add(128, 128, G::kWarp, C::kNone, promote);
    add(128, 128, G::kToken, C::kNone, int8);
    add(128, 128, G::kBlock, C::kBottomRight, int8);
    add(32, 32, G::kThread, C::kBottomRight, rough);
    add(40, 96, G::kToken, C::kNone, bf16);
    add(72, 40, G::kThread, C::kTopLeft, int8);
    add(80, 80, G::kWarp, C::kBottomRight, lse);
    add(96, 96, G::kBlock, C::kNone, [](Spec& s) {
        s.dtype = DataType::kBf16;
        s.output_dtype = DataType::kFp16;
    });
    add(112, 112, G::kThread, C::kNone, fp16);
    add(160, 160, G::kTensor, C::kTopLeft, plain);
    add(192, 128, G::kThread, C::kBottomRight, promote);
    add(256, 256, G::kThread, C::kTopLeft, lse);
    add(256, 64, G::kToken, C::kNone, int8);
    add(64, 64, G::kThread, C::kTopLeft, [](Spec& s) {
        s.tile_q = 64;
        s.tile_k = 32;
        s.warp_q = 16;
        s.stages = 4;
    });
    add(128, 64, G::kThread, C::kNone, [](Spec& s) {
        s.tile_q = 32;
        s.tile_k = 96;
        s.warp_q = 32;
        s.stages = 2;
    });
    return specs;
}

// Specs of the wgmma family: every fragment it can choose, on all kinds of head dims.
inline std::vector<Spec> wgmma_specs() {
    std::vector<Spec> specs;
    const auto add = [&](int dim, int dim_v, Granularity g, CausalMode causal, bool lse, bool bf16,
                         bool smooth) {
        Spec spec = make_spec(dim, g, causal);
        spec.head_dim_v = dim_v;
        spec.lse = lse;
        spec.smooth_k = smooth;
        spec.target = "sm_90a";
        if (bf16) {
            spec.dtype = spec.output_dtype = DataType::kBf16;
            spec.pv_type = PvType::kBf16;
        }
        specs.push_back(spec);
    };
    using G = Granularity;
    using C = CausalMode;
    add(64, 64, G::kThread, C::kNone, true, false, true);
    add(128, 128, G::kThread, C::kBottomRight, true, false, true);
    add(128, 128, G::kWarp, C::kTopLeft, false, true, true);
    add(64, 64, G::kBlock, C::kTopLeft, true, false, false);
    add(256, 256, G::kThread, C::kNone, true, true, true);
    add(256, 256, G::kThread, C::kBottomRight, true, false, true);
    add(192, 128, G::kThread, C::kBottomRight, true, false, true);
    add(128, 128, G::kThread, C::kTopLeft, true, true, true);
    specs.back().output_dtype = DataType::kFp16;
    add(96, 96, G::kThread, C::kNone, false, false, true);
    add(72, 40, G::kWarp, C::kBottomRight, true, true, true);
    add(40, 200, G::kBlock, C::kNone, true, false, true);
    add(160, 160, G::kThread, C::kTopLeft, true, true, false);
    const auto pair = [&](int dim, int dim_v, CausalMode causal) {
        add(dim, dim_v, G::kThread, causal, true, false, true);
        specs.back().cluster_q = 2;
    };
    pair(128, 128, C::kNone);
    pair(64, 64, C::kBottomRight);
    pair(192, 192, C::kTopLeft);
    return specs;
}

// Specs with values in e4m3, by wgmma: every fragment of theirs, on all kinds of head dims.
inline std::vector<Spec> fp8_specs() {
    std::vector<Spec> specs;
    const auto add = [&](int dim, int dim_v, Granularity g, CausalMode causal, auto change) {
        Spec spec = make_spec(dim, g, causal);
        spec.head_dim_v = dim_v;
        spec.target = "sm_90a";
        spec.pv_type = PvType::kFp8;
        spec.pv_accum = PvAccum::kFp32PromoteFp32;
        spec.smooth_v = true;
        spec.lse = true;
        change(spec);
        specs.push_back(spec);
    };
    using G = Granularity;
    using C = CausalMode;
    const auto plain = [](Spec&) {};
    const auto bf16 = [](Spec& s) { s.dtype = s.output_dtype = DataType::kBf16; };
    const auto rough = [](Spec& s) { s.smooth_v = false; };
    const auto unpromoted = [](Spec& s) { s.pv_accum = PvAccum::kFp32; };
    const auto small = [](Spec& s) {
        s.smooth_v = false;
        s.tile_k = 32;  // promoted every 16 tiles
    };
    add(128, 128, G::kThread, C::kNone, plain);
    add(64, 64, G::kThread, C::kBottomRight, rough);
    add(128, 128, G::kWarp, C::kTopLeft, bf16);
    add(256, 256, G::kThread, C::kNone, plain);
    add(96, 96, G::kBlock, C::kBottomRight, unpromoted);
    add(192, 128, G::kThread, C::kBottomRight, plain);
    add(72, 40, G::kWarp, C::kNone, small);
    add(40, 200, G::kBlock, C::kTopLeft, bf16);
    add(192, 192, G::kThread, C::kNone, [](Spec& s) { s.lse = s.smooth_k = false; });
    add(256, 256, G::kThread, C::kTopLeft, unpromoted);
    add(128, 128, G::kThread, C::kTopLeft, [](Spec& s) { s.cluster_q = 2; });
    return specs;
}

// A random small case: any sizes, layout, distribution, sign of logit_scale.
inline Case random_case(const std::vector<Spec>& specs, uint64_t index) {
    std::mt19937_64 random(index * 0x9E3779B97F4A7C15u + 1);
    const auto pick = [&](int64_t low, int64_t high) {
        return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
    };
    Case c;
    c.spec = specs[index % specs.size()];
    c.shape.batch = pick(1, 2);
    c.shape.heads_kv = pick(1, 2);
    c.shape.heads_q = c.shape.heads_kv * pick(1, 3);
    const auto length = [&] {
        switch (pick(0, 4)) {
            case 0:
                return pick(1, 16);
            case 1:
                return pick(0, 3) * 64 + pick(0, 2);
            default:
                return pick(1, 200);
        }
    };
    c.shape.len_q = length();
    c.shape.len_k = pick(0, 3) == 0 ? c.shape.len_q : length();
    const auto names = distributions();
    c.distribution = std::string(names[pick(0, static_cast<int64_t>(names.size()) - 1)].name);
    c.layout = static_cast<Layout>(pick(0, 3));
    if (pick(0, 7) == 0) c.logit_scale = -0.125f;
    if (pick(0, 7) == 1) c.logit_scale = 0.5f;
    c.seed = index;
    c.host_seed = index % 3 == 0 ? 0 : static_cast<uint64_t>(pick(1, 2));
    return c;
}

}  // namespace sagejit::test
