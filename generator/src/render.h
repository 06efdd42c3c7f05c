// The strict renderer of ${name} placeholders.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sagejit {

using Bindings = std::vector<std::pair<std::string, std::string>>;

// Replaces every ${name} by its binding. Throws Error(kInternal) for an unbound name, a binding
// that is used nowhere, a duplicate binding, or a placeholder that does not end.
std::string render(std::string_view text, const Bindings& bindings);

}  // namespace sagejit
