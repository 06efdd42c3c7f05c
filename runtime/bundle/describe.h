// What a manifest says about a kernel, from the generator's own types and back.
#pragma once

#include <string>
#include <vector>

#include "sagejit/bundle.h"
#include "sagejit/generator/plan.h"
#include "sagejit/generator/source.h"

namespace sagejit {

// The text two requests share that ask for the same kernels: canonical JSON in one line, without
// the name, which changes nothing, and the target, which is kept beside it.
std::string spec_identity(Spec spec);

// A plan as a manifest holds it.
std::string manifest_plan(const Plan& plan);

// Everything but the cubin. name: for people.
BundleKernel describe_kernel(const std::string& name, const Spec& asked, const Plan& plan,
                             const Source& source, std::vector<CubinEntry> entries,
                             std::vector<std::string> options);

// The plan of a kernel of this generator. Throws Error(kInvalidInput), without an origin, when it
// is not the one the manifest says, or launches what the cubin has no entry for.
Plan plan_of(const BundleKernel& kernel);

}  // namespace sagejit
