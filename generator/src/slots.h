// Which templates make up a source, and what they are told.
#pragma once

#include <string_view>
#include <vector>

#include "render.h"
#include "sagejit/generator/plan.h"

namespace sagejit {

// One place in a source and the file chosen for it.
struct Slot {
    std::string_view slot;
    std::string_view file;
};

// A family's part of a source, in the order of pasting.
struct SourceParts {
    std::string_view prologue;  // the template of the plan's constants
    Bindings bindings;          // its placeholders
    std::vector<Slot> slots;    // behind types, call and instruction wrappers
};

SourceParts mma_parts(const Plan& plan);
SourceParts wgmma_parts(const Plan& plan);

// Choices both families make alike.
std::string_view mask_variant(CausalMode mode);
std::string_view groups_variant(Granularity granularity);
std::string_view input_variant(DataType dtype);
std::string_view output_variant(DataType dtype);

// The region of that name in a stage's shared memory.
const SharedRegion& stage_region(const Plan& plan, std::string_view name);

}  // namespace sagejit
