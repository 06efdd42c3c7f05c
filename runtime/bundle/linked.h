// The bundles that are linked into the program: sagejit/linked_bundle.h.
#pragma once

#include <functional>
#include <string>

#include "sagejit/bundle.h"

namespace sagejit {

// Calls the function for each in order until it returns true, and keeps all of them linked
// meanwhile. Where one cannot be opened it gets null and the reason.
using LinkedVisitor =
    std::function<bool(const Bundle* bundle, const std::string& name, const std::string& problem)>;
void visit_linked_bundles(const LinkedVisitor& visit);

}  // namespace sagejit
