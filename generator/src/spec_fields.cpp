#include "spec_fields.h"

#include <array>
#include <type_traits>

#include "sagejit/generator/target.h"

namespace sagejit::rules {
namespace {

template <class Enum>
constexpr int kEnumerators = 0;
template <>
constexpr std::array kEnumerators<DataType> = {DataType::kFp16, DataType::kBf16};
template <>
constexpr std::array kEnumerators<CausalMode> = {CausalMode::kNone, CausalMode::kTopLeft,
                                                 CausalMode::kBottomRight};
template <>
constexpr std::array kEnumerators<Granularity> = {Granularity::kTensor, Granularity::kToken,
                                                  Granularity::kBlock, Granularity::kWarp,
                                                  Granularity::kThread};
template <>
constexpr std::array kEnumerators<PvType> = {PvType::kFp16, PvType::kBf16, PvType::kInt8,
                                             PvType::kFp8};
template <>
constexpr std::array kEnumerators<PvAccum> = {PvAccum::kFp32, PvAccum::kFp16,
                                              PvAccum::kFp32PromoteFp16, PvAccum::kFp32PromoteInt32,
                                              PvAccum::kFp32PromoteFp32};

// The type of a member, from a pointer to it.
template <class Type>
Type member_type(Type Spec::*);
template <auto member>
using MemberType = decltype(member_type(member));

// Legal values. `because` names the earlier key that narrows a rule.

Legal text(const Spec&) { return {Legal::Kind::kText, "a UTF-8 string", {}, {}}; }

Legal boolean(const Spec&) { return {Legal::Kind::kBool, "true or false", {}, {}}; }

Legal one_of_words(std::vector<std::string_view> words, std::string_view because = {}) {
    std::string rule = words.size() == 1 ? "" : "one of ";
    for (size_t i = 0; i < words.size(); ++i) rule += (i == 0 ? "" : ", ") + quote(words[i]);
    rule += because;
    return {Legal::Kind::kWord, std::move(rule), {}, std::move(words)};
}

Legal one_of_integers(std::vector<int> integers, std::string_view because = {}) {
    std::string rule = integers.size() == 1 ? "" : "one of ";
    for (size_t i = 0; i < integers.size(); ++i) {
        rule += (i == 0 ? "" : ", ") + std::to_string(integers[i]);
    }
    rule += because;
    return {Legal::Kind::kInteger, std::move(rule), std::move(integers), {}};
}

template <auto member>
Legal words(const Spec&) {
    std::vector<std::string_view> all;
    for (const auto value : kEnumerators<MemberType<member>>) all.push_back(to_string(value));
    return one_of_words(std::move(all));
}

Legal head_dims(const Spec&) {
    std::vector<int> dims;
    for (int dim = kMinHeadDim; dim <= kMaxHeadDim; dim += kHeadDimStep) dims.push_back(dim);
    return {Legal::Kind::kInteger,
            "a multiple of " + std::to_string(kHeadDimStep) + " from " +
                std::to_string(kMinHeadDim) + " to " + std::to_string(kMaxHeadDim),
            std::move(dims),
            {}};
}

// The first is the default.
std::vector<PvAccum> accums_of(PvType type) {
    switch (type) {
        case PvType::kFp16:
            return {PvAccum::kFp32, PvAccum::kFp16, PvAccum::kFp32PromoteFp16};
        case PvType::kBf16:
            return {PvAccum::kFp32};
        case PvType::kInt8:
            return {PvAccum::kFp32PromoteInt32};
        case PvType::kFp8:
            return {PvAccum::kFp32PromoteFp32, PvAccum::kFp32};
    }
    return {};
}

std::string with_type(const Spec& so_far) {
    return " with \"type\": " + quote(to_string(so_far.pv_type));
}

Legal pv_accums(const Spec& so_far) {
    std::vector<std::string_view> all;
    for (const PvAccum value : accums_of(so_far.pv_type)) all.push_back(to_string(value));
    return one_of_words(std::move(all), with_type(so_far));
}

Legal smooth_vs(const Spec& so_far) {
    if (so_far.pv_type == PvType::kFp8) return boolean(so_far);
    return {Legal::Kind::kFalse, "false" + with_type(so_far), {}, {}};
}

constexpr int kMaxWarps = 8;

Legal warp_qs(const Spec& so_far) {
    std::vector<int> fitting;
    for (const int warp_q : {16, 32}) {
        if (so_far.tile_q.value_or(0) <= kMaxWarps * warp_q) fitting.push_back(warp_q);
    }
    if (fitting.size() == 2) return one_of_integers(std::move(fitting));
    return one_of_integers(std::move(fitting),
                           " with \"tile_q\": " + std::to_string(*so_far.tile_q) + " (at most " +
                               std::to_string(kMaxWarps) + " warps)");
}

Legal targets(const Spec&) {
    std::vector<std::string_view> names;
    for (const Target& target : all_targets()) names.push_back(target.name);
    return one_of_words(std::move(names));
}

// Between JSON values and members of Spec. Values have been checked.

void set_nothing(Spec&, const JsonValue&) {}
std::optional<JsonValue> get_nothing(const Spec&) { return std::nullopt; }

template <auto member>
void set(Spec& spec, const JsonValue& value) {
    using Type = MemberType<member>;
    if constexpr (std::is_enum_v<Type>) {
        for (const Type candidate : kEnumerators<Type>) {
            if (to_string(candidate) == value.text) spec.*member = candidate;
        }
    } else if constexpr (std::is_same_v<Type, bool>) {
        spec.*member = value.flag;
    } else if constexpr (std::is_same_v<Type, int> || std::is_same_v<Type, std::optional<int>>) {
        spec.*member = static_cast<int>(value.number);
    } else {
        spec.*member = value.text;
    }
}

template <auto member>
std::optional<JsonValue> get(const Spec& spec) {
    using Type = MemberType<member>;
    if constexpr (std::is_enum_v<Type>) {
        return JsonValue::of(to_string(spec.*member));
    } else if constexpr (std::is_same_v<Type, std::optional<int>> ||
                         std::is_same_v<Type, std::optional<std::string>>) {
        if (!(spec.*member)) return std::nullopt;
        return JsonValue::of(*(spec.*member));
    } else {
        return JsonValue::of(spec.*member);
    }
}

template <auto member, auto source>
void copy(Spec& spec) {
    spec.*member = spec.*source;
}

void fill_pv_accum(Spec& spec) {
    const std::vector<PvAccum> legal = accums_of(spec.pv_type);
    if (!legal.empty()) spec.pv_accum = legal.front();
}

// The accurate choice.
void fill_smooth_v(Spec& spec) { spec.smooth_v = spec.pv_type == PvType::kFp8; }

// Left out of a config where it says nothing.
std::optional<JsonValue> get_smooth_v(const Spec& spec) {
    if (spec.pv_type != PvType::kFp8 && !spec.smooth_v) return std::nullopt;
    return JsonValue::of(spec.smooth_v);
}

// A key that stands for one member of Spec.
template <auto member>
constexpr SpecField field(std::string_view section, std::string_view key,
                          Legal (*legal)(const Spec&), std::string_view usual = {},
                          void (*fill)(Spec&) = nullptr) {
    return {section, key, usual, legal, set<member>, get<member>, fill};
}

constexpr SpecField required(SpecField field) {
    field.required = true;
    return field;
}

Legal qk_types(const Spec&) { return one_of_words({"int8"}); }
std::optional<JsonValue> get_qk_type(const Spec&) { return JsonValue::of("int8"); }

Legal pv_types(const Spec& so_far) {
    std::vector<std::string_view> all;
    for (const PvType value : kEnumerators<PvType>) {
        if (value != PvType::kBf16 || so_far.dtype == DataType::kBf16) {
            all.push_back(to_string(value));
        }
    }
    return one_of_words(std::move(all), " with \"dtype\": " + quote(to_string(so_far.dtype)));
}

Legal tile_qs(const Spec&) { return one_of_integers({32, 64, 128, 192, 256}); }
Legal tile_ks(const Spec&) {
    std::vector<int> tiles;
    for (int tile = 32; tile <= 256; tile += 16) tiles.push_back(tile);
    return {Legal::Kind::kInteger, "a multiple of 16 from 32 to 256", std::move(tiles), {}};
}
Legal stage_counts(const Spec&) { return one_of_integers({2, 3, 4, 5, 6}); }
Legal cluster_sizes(const Spec&) { return one_of_integers({1, 2}); }

constexpr std::array kFields = {
    SpecField{"", "$schema", "\"schema.json\"", text, set_nothing, get_nothing, nullptr},
    field<&Spec::name>("", "name", text, "\"my-attention\""),
    required(field<&Spec::head_dim>("", "head_dim", head_dims, "128")),
    field<&Spec::head_dim_v>("", "head_dim_v", head_dims, "",
                             copy<&Spec::head_dim_v, &Spec::head_dim>),
    field<&Spec::dtype>("", "dtype", words<&Spec::dtype>),
    field<&Spec::output_dtype>("", "output_dtype", words<&Spec::output_dtype>, "",
                               copy<&Spec::output_dtype, &Spec::dtype>),
    field<&Spec::causal>("", "causal", words<&Spec::causal>),
    SpecField{"qk", "type", "", qk_types, set_nothing, get_qk_type, nullptr},
    field<&Spec::granularity>("qk", "granularity", words<&Spec::granularity>),
    field<&Spec::smooth_k>("qk", "smooth_k", boolean),
    field<&Spec::pv_type>("pv", "type", pv_types),
    field<&Spec::pv_accum>("pv", "accumulation", pv_accums, "", fill_pv_accum),
    SpecField{"pv", "smooth_v", "", smooth_vs, set<&Spec::smooth_v>, get_smooth_v, fill_smooth_v},
    field<&Spec::lse>("", "lse", boolean),
    field<&Spec::tile_q>("tile", "tile_q", tile_qs, "128"),
    field<&Spec::tile_k>("tile", "tile_k", tile_ks, "64"),
    field<&Spec::warp_q>("tile", "warp_q", warp_qs, "32"),
    field<&Spec::stages>("tile", "stages", stage_counts, "2"),
    field<&Spec::cluster_q>("tile", "cluster_q", cluster_sizes, "1"),
    field<&Spec::target>("", "target", targets, "\"sm_80\""),
};

}  // namespace

std::span<const SpecField> spec_fields() { return kFields; }

Members members_of(const Spec& spec) {
    Members members;
    for (const SpecField& field : kFields) members.push_back(field.get(spec));
    return members;
}

}  // namespace sagejit::rules
