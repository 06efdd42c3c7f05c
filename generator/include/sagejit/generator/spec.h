// What attention is wanted: the validated form of a JSON config.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sagejit {

enum class DataType { kFp16, kBf16 };
// Which corner of the [len_q, len_k] score matrix the causal diagonal starts or ends in.
// kTopLeft: query i sees keys j <= i. kBottomRight: query i sees keys j <= i + len_k - len_q.
enum class CausalMode { kNone, kTopLeft, kBottomRight };
// Which elements of Q (and of K) share one quantization scale, within one batch and head:
//   kTensor  the whole [len, head_dim] matrix
//   kToken   one row                                       (SageAttention arXiv 2410.02367, "-T")
//   kBlock   tile_q rows of Q, tile_k rows of K            (same paper, "-B")
//   kWarp    the warp_q rows of Q one warp owns, tile_k rows of K
//   kThread  the rows whose scores one lane holds: Q rows with equal row mod 8 among a warp's
//            rows; K rows with equal (row mod 8) / 2 inside tile_k (SageAttention2, 2411.10958)
enum class Granularity { kTensor, kToken, kBlock, kWarp, kThread };
// Operand type of the product of probabilities and values.
// kBf16 takes V from the caller as it is, so it goes with bf16 inputs only. kFp8: e4m3.
enum class PvType { kFp16, kBf16, kInt8, kFp8 };
// How P*V accumulates. kFp32, kFp16: in the tensor core, over the whole row. kFp32PromoteFp16:
// fp16 inside one key tile, fp32 across tiles. kFp32PromoteInt32: the only one for int8.
// kFp32PromoteFp32, for fp8: in the tensor core, whose fp32 keeps about 13 bits there, for at most
// 2048 keys (512 unless smooth_v), and across those in real fp32.
enum class PvAccum { kFp32, kFp16, kFp32PromoteFp16, kFp32PromoteInt32, kFp32PromoteFp32 };

// JSON spellings, e.g. "top_left".
std::string_view to_string(DataType value);
std::string_view to_string(CausalMode value);
std::string_view to_string(Granularity value);
std::string_view to_string(PvType value);
std::string_view to_string(PvAccum value);

// Limits of a spec, in elements.
inline constexpr int kMinHeadDim = 32;
inline constexpr int kMaxHeadDim = 256;
inline constexpr int kHeadDimStep = 8;

// A validated request. Members left as nullopt are decided by make_plan.
struct Spec {
    std::string name;                         // free text; does not change the kernel
    int head_dim = 0;                         // of Q and K
    int head_dim_v = 0;                       // of V and O
    DataType dtype = DataType::kFp16;         // of q, k, v
    DataType output_dtype = DataType::kFp16;  // of o
    CausalMode causal = CausalMode::kNone;
    Granularity granularity = Granularity::kThread;
    bool smooth_k = true;  // subtract K's channel mean before quantization
    PvType pv_type = PvType::kFp16;
    PvAccum pv_accum = PvAccum::kFp32;
    bool smooth_v = false;              // fp8 only: subtract V's channel mean before quantization
    bool lse = false;                   // also write lse [batch, heads_q, len_q] fp32
    std::optional<int> tile_q;          // query tokens per CTA
    std::optional<int> tile_k;          // key tokens per main-loop step
    std::optional<int> warp_q;          // query tokens per warp: 16 or 32 (wgmma: 16)
    std::optional<int> stages;          // key/value tiles in flight: 2..4
    std::optional<int> cluster_q;       // CTAs of a cluster along queries: 1; wgmma: 1 or 2
    std::optional<std::string> target;  // "sm_89"; the command line may override it

    bool operator==(const Spec&) const = default;
};

// Parses and validates one JSON config. origin names the text in errors (a file name).
// Throws Error(kInvalidConfig) with the JSON path, the rule and the nearest legal value for: text
// that is not JSON, duplicate or unknown keys, wrong types, values out of range, illegal
// combinations. Accepts exactly what configs/schema.json accepts.
Spec parse_spec(std::string_view json_text, std::string_view origin = "config");

// The config as canonical JSON: every member spelled out, fixed key order, so that
// parse_spec(to_json(s)) == s. indent < 0 gives one line. Throws as validate does.
std::string to_json(const Spec& spec, int indent = 2);

// Throws the same errors as parse_spec for a Spec built in C++; their origin is "spec".
void validate(const Spec& spec);

}  // namespace sagejit
