#include "attention_input.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <set>

#include "tensor/safetensors.h"

namespace sagejit::cli {
namespace {

[[noreturn]] void refuse(const std::string& file, std::string_view tensor, std::string message,
                         std::string fix) {
    throw Error(ErrorCode::kInvalidInput, std::move(message), fmt::format("{}: {}", file, tensor),
                std::move(fix));
}

// prefix: before "q", "k" and "v" in the tensors' names.
HostTensor take(const SafetensorsFile& stored, const std::string& prefix, std::string_view name) {
    return to_host_tensor(stored.at(prefix + std::string(name)), stored.origin);
}

// "layer00." of "layer00.q"; empty for "q". nullopt for other names.
std::optional<std::string> prefix_of(std::string_view name) {
    for (const std::string_view last : {"q", "k", "v"}) {
        if (name == last) return std::string();
        if (name.size() > 2 && name.ends_with(last) && name[name.size() - 2] == '.') {
            return std::string(name.substr(0, name.size() - 1));
        }
    }
    return std::nullopt;
}

// several: layers are allowed, LAYER.q and so on.
void check_names(const SafetensorsFile& stored, bool several) {
    std::string unknown;
    for (const StoredTensor& tensor : stored.tensors) {
        const std::optional<std::string> prefix = prefix_of(tensor.name);
        if (prefix && (several || prefix->empty())) continue;
        // Through JSON: a name may hold any character.
        const std::string shown = Json(tensor.name).dump(-1, ' ', true);
        unknown += (unknown.empty() ? "" : ", ") + shown;
    }
    if (unknown.empty()) return;
    constexpr size_t kLongest = 200;
    if (unknown.size() > kLongest) unknown = unknown.substr(0, kLongest) + "...";
    throw Error(ErrorCode::kInvalidInput, "holds unknown tensors: " + unknown, stored.origin,
                several ? "keep q, k and v, or LAYER.q, LAYER.k and LAYER.v of each layer"
                        : "keep q, k and v only");
}

// The two sizes must be equal; a and b name the tensors they belong to.
void check_same(const InputFile& input, const char* what, std::string_view a, int64_t size_a,
                std::string_view b, int64_t size_b) {
    if (size_a == size_b) return;
    refuse(input.file, b, fmt::format("has {} {}, {} has {}", what, size_b, a, size_a),
           "q [B, Hq, Lq, D], k [B, Hkv, Lk, D] and v [B, Hkv, Lk, Dv] belong together");
}

void check_sizes(const InputFile& input) {
    const auto &q = input.q.shape, &k = input.k.shape, &v = input.v.shape;
    check_same(input, "batch", "q", q[0], "k", k[0]);
    check_same(input, "batch", "q", q[0], "v", v[0]);
    check_same(input, "heads", "k", k[1], "v", v[1]);
    check_same(input, "length", "k", k[2], "v", v[2]);
    check_same(input, "head_dim", "q", q[3], "k", k[3]);
    if (k[1] > 0 ? q[1] % k[1] != 0 : q[1] != 0) {
        refuse(input.file, "q", fmt::format("has {} heads, k and v have {}", q[1], k[1]),
               "the query heads must be a multiple of the KV heads");
    }
}

void check_dtype(const InputFile& input, std::string_view name, const HostTensor& tensor) {
    if (tensor.dtype == input.q.dtype) return;
    refuse(input.file, name,
           fmt::format("is {}, q is {}", to_string(tensor.dtype), to_string(input.q.dtype)),
           "store q, k and v in one dtype");
}

}  // namespace

namespace {

InputFile take_layer(const SafetensorsFile& stored, const std::string& file,
                     const std::string& prefix) {
    const std::string name = prefix.empty() ? std::filesystem::path(file).stem().string()
                                            : prefix.substr(0, prefix.size() - 1);
    InputFile input{
        file, name, take(stored, prefix, "q"), take(stored, prefix, "k"), take(stored, prefix, "v"),
        {}};
    check_dtype(input, "k", input.k);
    check_dtype(input, "v", input.v);
    check_sizes(input);
    input.shape = {input.q.shape[0], input.q.shape[1], input.k.shape[1], input.q.shape[2],
                   input.k.shape[2]};
    return input;
}

}  // namespace

InputFile read_input(const std::string& file) {
    const SafetensorsFile stored = read_safetensors(file);
    check_names(stored, /*several=*/false);
    return take_layer(stored, file, "");
}

std::vector<InputFile> read_layers(const std::string& file) {
    const SafetensorsFile stored = read_safetensors(file);
    check_names(stored, /*several=*/true);
    std::set<std::string> prefixes;
    for (const StoredTensor& tensor : stored.tensors) prefixes.insert(*prefix_of(tensor.name));
    if (prefixes.empty()) prefixes.insert("");  // says that q is missing
    std::vector<InputFile> layers;
    for (const std::string& prefix : prefixes) layers.push_back(take_layer(stored, file, prefix));
    return layers;
}

void check_input(const InputFile& input, const Config& config) {
    const Spec& spec = config.spec;
    if (input.q.dtype != spec.dtype) {
        refuse(input.file, "q",
               fmt::format("is {}, {} is for {}", to_string(input.q.dtype), config.file,
                           to_string(spec.dtype)),
               fmt::format("set \"dtype\": \"{}\" in the config, or convert the tensors",
                           to_string(input.q.dtype)));
    }
    const auto check_dim = [&](const char* tensor, int64_t dim, const char* key, int asked) {
        if (dim == asked) return;
        refuse(input.file, tensor,
               fmt::format("has {} {}, {} is for {}", key, dim, config.file, asked),
               fmt::format("use a config with \"{}\": {}", key, dim));
    };
    check_dim("q", input.q.shape[3], "head_dim", spec.head_dim);
    check_dim("v", input.v.shape[3], "head_dim_v", spec.head_dim_v);
}

TensorRef const_ref(const HostTensor& tensor) {
    auto* data = const_cast<std::byte*>(tensor.data.data());
    return TensorRef::contiguous(data, tensor.dtype, tensor.shape);
}

Json shape_json(const InputFile& input) {
    const Shape& shape = input.shape;
    return {{"batch", shape.batch},          {"heads_q", shape.heads_q},
            {"heads_kv", shape.heads_kv},    {"len_q", shape.len_q},
            {"len_k", shape.len_k},          {"head_dim", input.q.shape[3]},
            {"head_dim_v", input.v.shape[3]}};
}

std::string shape_text(const InputFile& input) {
    const Shape& shape = input.shape;
    const int64_t dim = input.q.shape[3], dim_v = input.v.shape[3];
    return fmt::format("batch {}, heads {}/{}, len {}/{}, head_dim {}{}", shape.batch,
                       shape.heads_q, shape.heads_kv, shape.len_q, shape.len_k, dim,
                       dim_v == dim ? "" : fmt::format(", head_dim_v {}", dim_v));
}

}  // namespace sagejit::cli
