// Which attention each layer of a model uses: what `sagejit calibrate` writes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sagejit/generator/spec.h"

namespace sagejit {

struct LayerSpec {
    std::string layer;
    Spec spec;

    bool operator==(const LayerSpec&) const = default;
};

struct LayerPlan {
    std::vector<LayerSpec> layers;  // in the model's order

    // The spec of a layer. Throws Error(kInvalidArgument) with the names there are.
    const Spec& at(std::string_view layer) const;

    bool operator==(const LayerPlan&) const = default;
};

// Parses and validates a layer plan, {"schema_version": 1, "layers": [{"layer": "layer00",
// "config": {..}}, ..]}, as configs/layers/schema.json describes it. Members "made_by" and
// "measured" may hold anything and are not read. Throws Error(kInvalidConfig) with the JSON path
// for text that is not JSON, unknown or duplicate keys, a layer named twice, and whatever
// parse_spec refuses.
LayerPlan parse_layer_plan(std::string_view json_text, std::string_view origin = "layers");

// The plan as JSON, which parse_layer_plan reads back. Throws as validate does.
std::string to_json(const LayerPlan& plan, int indent = 2);

}  // namespace sagejit
