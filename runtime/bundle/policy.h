// What prepare may do, and what it says when that is not enough.
#pragma once

#include <string>

#include "bundle/find.h"
#include "sagejit/sagejit.h"

namespace sagejit {

// Throws Error(kInvalidArgument) for a policy that the device or the other options rule out.
void check_policy(const Device& device, const PrepareOptions& options);

// find_in_bundles for a GPU. Where nothing is found, throws Error(kNotBuilt) under kBundleOnly, and
// warns of bundles that are damaged or of another generator under the other policies.
BundleSearch search_bundles(const Spec& spec, const Plan* exact, const Device& device,
                            const PrepareOptions& options);

// searched: where, one place a line, each after a line break.
[[noreturn]] void throw_not_built(const Spec& spec, const Device& device,
                                  const PrepareOptions& options, const std::string& searched);

}  // namespace sagejit
