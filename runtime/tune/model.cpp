#include "tune/model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include "tune/step_clocks.h"
#include "tune/wgmma_model.h"

namespace sagejit {
namespace {

// Clocks before the first key tile of a CTA can be computed on, and after the last one.
constexpr double kPrologueClocks = 2000, kEpilogueClocks = 1000;
// Clocks from asking for a tile to having it in shared memory.
constexpr double kLoadClocks = 900;
constexpr int kSchedulers = 4;  // of a multiprocessor

bool uses_wgmma(const Plan& plan) { return plan.target.family == Family::kWgmma; }

// Key tiles all CTAs of one row walk together.
double key_tiles(const Plan& plan, const Shape& shape) {
    if (uses_wgmma(plan)) return wgmma_key_tiles(plan, shape);
    const int64_t tiles_k = divide_up(shape.len_k, plan.tile_k);
    const int64_t tiles_q = divide_up(shape.len_q, plan.tile_q);
    if (plan.spec.causal == CausalMode::kNone) return static_cast<double>(tiles_q * tiles_k);
    const int64_t shift =
        plan.spec.causal == CausalMode::kBottomRight ? shape.len_k - shape.len_q : 0;
    double total = 0;
    for (int64_t tile = 0; tile < tiles_q; ++tile) {
        const int64_t last_query = std::min((tile + 1) * plan.tile_q, shape.len_q) - 1;
        const int64_t seen = std::clamp<int64_t>(last_query + shift + 1, 0, shape.len_k);
        total += static_cast<double>(divide_up(seen, plan.tile_k));
    }
    return total;
}

// Clocks a multiprocessor with that many resident CTAs needs for one step of one of them. Units
// overlap between the warps of a scheduler only: alone, a warp waits for each in turn.
double clocks_of_step(const StepClocks& step, const Plan& plan, int resident) {
    const double warps =
        std::max(1.0, static_cast<double>(plan.threads) / 32 * resident / kSchedulers);
    const double busy = step.largest() + (step.sum() - step.largest()) / warps;
    // The copies of a stage have the steps of the other stages, and other CTAs, to hide behind.
    const double hidden = busy * ((plan.stages - 1) * resident + (resident - 1));
    return busy + std::max(0.0, kLoadClocks - hidden) / resident;
}

Bound limit_of(const Prediction& prediction) {
    const std::array<std::pair<double, Bound>, 6> units = {{
        {prediction.tensor_ms, Bound::kTensor},
        {prediction.exponential_ms, Bound::kExponential},
        {prediction.vector_ms, Bound::kVector},
        {prediction.shared_ms, Bound::kShared},
        {prediction.cache_ms, Bound::kCache},
        {prediction.memory_ms, Bound::kMemory},
    }};
    const auto highest = std::max_element(units.begin(), units.end());
    // Where no unit is busy half of the time, waiting is what takes long.
    return highest->first < prediction.attention_ms / 2 ? Bound::kLatency : highest->second;
}

// Bytes of the kernels before attention, read and written, as far as they take time of their own.
double preparation_bytes(const Plan& plan, const Shape& shape) {
    const double q =
        static_cast<double>(shape.batch * shape.heads_q * shape.len_q) * plan.spec.head_dim;
    const double k =
        static_cast<double>(shape.batch * shape.heads_kv * shape.len_k) * plan.spec.head_dim;
    const double v =
        static_cast<double>(shape.batch * shape.heads_kv * shape.len_k) * plan.spec.head_dim_v;
    if (plan.query_in_prologue) {
        // The wgmma family's quantizer mostly computes while bytes of K arrive.
        constexpr double kShown = 0.4;
        return kShown * 3 * k + (plan.v_path == VPath::kDirect ? 0 : (4 + value_bytes(plan)) * v);
    }
    double bytes = 3 * (q + k);  // 2 read, 1 written
    if (plan.spec.smooth_k) bytes += 2 * k;
    if (plan.v_path != VPath::kDirect) bytes += (4 + value_bytes(plan)) * v;
    if (plan.has_amax) bytes += 2 * (q + k);
    return bytes;
}

double unique_bytes(const Plan& plan, const Shape& shape) {
    const double rows_q = static_cast<double>(shape.batch * shape.heads_q * shape.len_q);
    const double rows_k = static_cast<double>(shape.batch * shape.heads_kv * shape.len_k);
    return rows_q * (plan.head_dim_padded + 2 * plan.spec.head_dim_v) +
           rows_k * (plan.head_dim_padded + value_bytes(plan) * plan.head_dim_v_padded);
}

// Clocks until a multiprocessor is through with its share of all CTAs.
double schedule_clocks(const Plan& plan, const StepClocks& step, double steps_per_cta, double ctas,
                       double multiprocessors, int resident) {
    const auto wave = [&](int each) {
        const double fixed = (kPrologueClocks + kEpilogueClocks) / each;
        return each * (steps_per_cta * clocks_of_step(step, plan, each) + fixed);
    };
    const double at_once = multiprocessors * resident;
    const double full = std::floor(ctas / at_once);
    const double rest = ctas - full * at_once;
    const auto last = static_cast<int>(std::ceil(rest / multiprocessors));
    return full * wave(resident) + (last > 0 ? wave(last) : 0);
}

}  // namespace

std::string_view to_string(Bound value) {
    switch (value) {
        case Bound::kTensor:
            return "tensor";
        case Bound::kExponential:
            return "exponential";
        case Bound::kVector:
            return "vector";
        case Bound::kShared:
            return "shared_memory";
        case Bound::kCache:
            return "l2_cache";
        case Bound::kMemory:
            return "memory";
        case Bound::kLatency:
            return "latency";
    }
    return "unknown";
}

GpuRates rates_for(const Target& target, int multiprocessors) {
    GpuRates rates;
    const auto set = [&rates](int count, double clock, double int8, double half32, double half16,
                              double cache, double memory) {
        rates.multiprocessors = count;
        rates.clock_ghz = clock;
        rates.int8 = int8;
        rates.half_fp32 = half32;
        rates.half_fp16 = half16;
        rates.cache_tb_per_s = cache;
        rates.memory_tb_per_s = memory;
    };
    switch (target.arch) {
        case 80:
            set(108, 1.41, 2048, 1024, 1024, 4.5, 1.7);
            break;
        case 86:
            set(82, 1.7, 1024, 256, 512, 2.5, 0.85);
            break;
        case 87:
            set(16, 1.3, 1024, 512, 512, 0.6, 0.18);
            break;
        case 89:
            set(128, 2.5, 1024, 256, 512, 4.5, 0.9);
            break;
        case 90:
            // mma.sync reaches about 62 % of what wgmma does. L2: at head_dim 256 6.4 TB/s were
            // read while something else was the limit (docs/benchmarks/rows, tuning).
            if (target.name.ends_with('a')) {
                set(132, 1.75, 4096, 2048, 2048, 7, 4.2);
            } else {
                set(132, 1.75, 2540, 1270, 1270, 7, 4.2);
            }
            break;
        case 120:
            set(170, 2.4, 1024, 256, 512, 6, 1.6);
            break;
        default:  // sm_100 and its successors
            set(148, 1.8, 2048, 1024, 1024, 7, 7);
            break;
    }
    if (multiprocessors > 0) {
        const double share = static_cast<double>(multiprocessors) / rates.multiprocessors;
        rates.cache_tb_per_s *= share;
        rates.memory_tb_per_s *= share;
        rates.multiprocessors = multiprocessors;
    }
    return rates;
}

Prediction predict(const Plan& plan, const Shape& shape, const GpuRates& rates) {
    constexpr double kMilli = 1e3, kTera = 1e12, kGiga = 1e9, kMicro = 1e-6;
    const auto steps = launch_steps(plan, shape);  // checks the shape
    Prediction result;
    result.ctas_per_sm = plan.ctas_per_sm;
    if (steps.empty()) return result;
    const double rows = static_cast<double>(shape.batch * shape.heads_q);
    const double ctas = rows * static_cast<double>(divide_up(shape.len_q, plan.tile_q));
    const double walked = rows * key_tiles(plan, shape);
    const double at_once = static_cast<double>(rates.multiprocessors) * plan.ctas_per_sm;
    const StepClocks step = step_clocks(plan, plan.tile_q, rates);
    const double to_ms = kMilli / (rates.clock_ghz * kGiga);
    const double each_ms = walked / rates.multiprocessors * to_ms;  // for one clock a step

    result.occupancy =
        static_cast<double>(plan.threads) * plan.ctas_per_sm / plan.target.threads_per_sm;
    result.waves = ctas / at_once;
    result.idle_share = 1 - result.waves / std::ceil(result.waves);
    result.tensor_ms = step.tensor * each_ms;
    result.exponential_ms = step.exponential * each_ms;
    result.vector_ms = step.vector * each_ms;
    result.shared_ms = step.shared * each_ms;
    result.cache_ms =
        walked * tile_bytes(plan) / plan.cluster_q / (rates.cache_tb_per_s * kTera) * kMilli;
    result.memory_ms = unique_bytes(plan, shape) / (rates.memory_tb_per_s * kTera) * kMilli;
    const double scheduled = uses_wgmma(plan)
                                 ? wgmma_attention_clocks(plan, shape, rates)
                                 : schedule_clocks(plan, step, walked / ctas, ctas,
                                                   rates.multiprocessors, plan.ctas_per_sm);
    result.attention_ms =
        std::max({scheduled * to_ms, step.largest() * each_ms, result.cache_ms, result.memory_ms});
    const double launches =
        static_cast<double>(steps.size() - 1) * rates.launch_us * kMicro * kMilli;
    double prepare = preparation_bytes(plan, shape) / (rates.memory_tb_per_s * kTera) * kMilli;
    if (uses_wgmma(plan)) prepare += wgmma_quantizer_clocks(plan, shape, rates) * to_ms;
    result.whole_call_ms = result.attention_ms + prepare + launches;
    result.limit = limit_of(result);
    return result;
}

}  // namespace sagejit
