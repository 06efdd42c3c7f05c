// --shape B,Hq,Hkv,Lq,Lk,D[,Dv], as several verbs take it.
#pragma once

#include <string>
#include <vector>

#include "output.h"
#include "sagejit/generator/workspace.h"

namespace sagejit::cli {

inline constexpr const char* kShapePlaceholder = "B,Hq,Hkv,Lq,Lk,D[,Dv]";

struct Sizes {
    Shape shape;
    int64_t head_dim = 0, head_dim_v = 0;
    std::string text;  // as given
};

// Throws UsageError for what does not read as sizes, Error(kInvalidArgument) for heads that do not
// divide and head dimensions no config takes.
Sizes parse_sizes(const std::string& text);

// {"batch": .., "heads_q": .., "heads_kv": .., "len_q": .., "len_k": .., "head_dim": .., ..}
Json sizes_json(const Sizes& sizes);

}  // namespace sagejit::cli
