#include "warning.h"

#include <cstdio>
#include <mutex>
#include <set>
#include <utility>

namespace sagejit {
namespace {

struct Warnings {
    std::mutex mutex;
    std::set<std::string> said;
    WarningSink sink;
};

// Never destroyed: a thread may still warn while the process exits.
Warnings& warnings() {
    static Warnings* instance = new Warnings;
    return *instance;
}

}  // namespace

void warn_once(const std::string& text) {
    Warnings& state = warnings();
    const std::lock_guard lock(state.mutex);
    if (!state.said.insert(text).second) return;
    if (state.sink) {
        state.sink(text);
    } else {
        std::fprintf(stderr, "sagejit: warning: %s\n", text.c_str());
    }
}

void set_warning_sink(WarningSink sink) {
    Warnings& state = warnings();
    const std::lock_guard lock(state.mutex);
    state.said.clear();
    state.sink = std::move(sink);
}

}  // namespace sagejit
