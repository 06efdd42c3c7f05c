// Making each kernel once and remembering it. The public half is sagejit/registry.h.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "sagejit/registry.h"
#include "tune/bucket.h"

namespace sagejit {

// Returns the kernel that was prepared for this spec on this GPU with options of the same outcome,
// or calls make and remembers what it returns. Threads that want the same at the same time share
// one call. `make` gets the options to prepare with, whose stop token is that of the shared call.
using MakeKernel = std::function<Kernel(const PrepareOptions& options)>;
Kernel prepare_shared(const Spec& spec, const Device& device, const PrepareOptions& options,
                      const MakeKernel& make);

// The kernel that prepare_for_sizes has made for sizes of the same bucket. No lock, no memory.
std::optional<Kernel> find_for_sizes(const Spec& spec, const Device& device, const Shape& shape);

// The kernel with the plan that is the best known for these sizes: the one that is prepared for the
// spec where it has that plan, else one that prepare makes with default options. Kept for the
// bucket until it is forgotten.
Kernel prepare_for_sizes(const Spec& spec, const Device& device, const Shape& shape);

// Has find_for_sizes find this kernel.
void keep_for_sizes(const Spec& spec, const Device& device, const Shape& shape,
                    const Kernel& kernel);

// Whether prepare with default options would come to this kernel's plan, for these sizes, by
// planning: false where a linked bundle has kernels for the spec, which may be of other plans.
bool is_choice_for(const Kernel& kernel, const Spec& spec, const Device& device,
                   const Shape& shape);

// What is prepared now for one spec on one device.
struct PreparedSpec {
    Spec spec;
    Device device;
    std::vector<ShapeBucket> buckets;  // sizes that have kernels of their own, sorted
};
std::vector<PreparedSpec> prepared_kernels();

}  // namespace sagejit
