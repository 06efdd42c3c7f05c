#include "shape_option.h"

#include <fmt/format.h>

#include <charconv>

#include "sagejit/generator/spec.h"

namespace sagejit::cli {
namespace {

// "B,Hq,Hkv,Lq,Lk,D[,Dv]".
Sizes read_sizes(const std::string& text) {
    constexpr size_t kFewest = 6, kMost = 7;
    const auto refuse = [&text](const std::string& problem) {
        throw UsageError(fmt::format("--shape {}: {}", text, problem),
                         "give B,Hq,Hkv,Lq,Lk,D or B,Hq,Hkv,Lq,Lk,D,Dv, e.g. 1,8,2,512,512,64");
    };
    std::vector<int64_t> sizes;
    const char* next = text.data();
    const char* const end = text.data() + text.size();
    while (true) {
        int64_t size = 0;
        const auto [stop, error] = std::from_chars(next, end, size);
        if (error != std::errc() || size < 0 || (stop != end && *stop != ',')) {
            refuse("sizes are whole numbers from 0, with commas between them");
        }
        sizes.push_back(size);
        if (stop == end) break;
        next = stop + 1;
    }
    if (sizes.size() < kFewest || sizes.size() > kMost) {
        refuse(fmt::format("has {} sizes, not 6 or 7", sizes.size()));
    }
    return {{sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]}, sizes[5], sizes.back(), text};
}

void check_sizes(const Sizes& sizes) {
    const Shape& shape = sizes.shape;
    const bool groups =
        shape.heads_kv > 0 ? shape.heads_q % shape.heads_kv == 0 : shape.heads_q == 0;
    if (!groups) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("Hq {} is not a multiple of Hkv {}", shape.heads_q, shape.heads_kv),
                    "--shape " + sizes.text, "choose Hq = Hkv * group size");
    }
    for (const int64_t dim : {sizes.head_dim, sizes.head_dim_v}) {
        if (dim >= kMinHeadDim && dim <= kMaxHeadDim && dim % kHeadDimStep == 0) continue;
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("no config takes head dimension {}", dim), "--shape " + sizes.text,
                    fmt::format("use a multiple of {} from {} to {}", kHeadDimStep, kMinHeadDim,
                                kMaxHeadDim));
    }
}

}  // namespace

Sizes parse_sizes(const std::string& text) {
    Sizes sizes = read_sizes(text);
    check_sizes(sizes);
    return sizes;
}

Json sizes_json(const Sizes& sizes) {
    const Shape& shape = sizes.shape;
    return {{"batch", shape.batch},          {"heads_q", shape.heads_q},
            {"heads_kv", shape.heads_kv},    {"len_q", shape.len_q},
            {"len_k", shape.len_k},          {"head_dim", sizes.head_dim},
            {"head_dim_v", sizes.head_dim_v}};
}

}  // namespace sagejit::cli
