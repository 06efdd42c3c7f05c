// Warnings about something sagejit worked around, such as a cache directory it cannot use.
#pragma once

#include <functional>
#include <string>

namespace sagejit {

// Tells the user once per process and text. To standard error, unless a sink is set.
void warn_once(const std::string& text);

// Where warnings go, for tests. An empty sink restores standard error. Forgets which texts were
// said before. Returns nothing: sinks do not nest.
using WarningSink = std::function<void(const std::string& text)>;
void set_warning_sink(WarningSink sink);

}  // namespace sagejit
