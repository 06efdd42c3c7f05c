// Specs as keys: which of them ask for the same kernel.
#pragma once

#include <cstddef>

#include "sagejit/generator/spec.h"

namespace sagejit {

// Whether two specs are equal but for their names, which change nothing.
bool ask_for_the_same(const Spec& a, const Spec& b);

// Equal for specs that ask for the same.
size_t hash_of(const Spec& spec);

}  // namespace sagejit
