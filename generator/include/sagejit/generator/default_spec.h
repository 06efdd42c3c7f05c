// Which config serves a call that names none: what the tensors are, and how much accuracy matters.
#pragma once

#include <string_view>

#include "sagejit/generator/spec.h"
#include "sagejit/generator/target.h"

namespace sagejit {

// How much accuracy is given up for speed. In numbers: docs/reference/accuracy.md.
//   kAccurate  one scale a token; P*V in fp16, accumulated in fp32
//   kBalanced  one scale for the rows a lane holds; P*V as above
//   kFast      scales as above; P*V in fp16 accumulated in fp16 within a key tile, where the
//              target's tensor cores do that at twice the rate, else in int8
// The wgmma family (sm_90a) has one answer to all: scales as for kBalanced, P*V in the type of the
// inputs, accumulated in fp32.
enum class Quality { kAccurate, kBalanced, kFast };

// JSON-like spelling: "accurate", "balanced", "fast".
std::string_view to_string(Quality value);

// What a call needs of a kernel.
struct SpecRequest {
    int head_dim = 0, head_dim_v = 0;
    DataType dtype = DataType::kFp16;
    DataType output_dtype = DataType::kFp16;
    CausalMode causal = CausalMode::kNone;
    bool lse = false;
    Quality quality = Quality::kBalanced;
};

// The spec for a request on a target. Smooths K. Leaves tiles to make_plan, and the target out.
// Throws as validate does.
Spec default_spec(const SpecRequest& request, const Target& target);

// The same without validate, and without taking memory: for one that looks whether there is a
// kernel for it.
Spec unchecked_default_spec(const SpecRequest& request, const Target& target);

}  // namespace sagejit
