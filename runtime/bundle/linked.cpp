#include "bundle/linked.h"

#include <map>
#include <mutex>
#include <optional>
#include <span>

#include "sagejit/generator/error.h"
#include "sagejit/linked_bundle.h"

namespace sagejit {
namespace {

// Both are ready before any constructor runs, and are never destroyed.
constinit std::mutex linked_mutex;
constinit sagejit_linked_bundle* first_linked = nullptr;

// A linked bundle, opened by the first search.
struct Opened {
    std::optional<Bundle> bundle;
    std::string problem;
};

// To be used under the mutex. Never destroyed: bundles may be unlinked while the process exits.
std::map<const sagejit_linked_bundle*, Opened>& opened_bundles() {
    static auto* instance = new std::map<const sagejit_linked_bundle*, Opened>;
    return *instance;
}

const Opened& open_linked(const sagejit_linked_bundle& linked) {
    auto [place, is_new] = opened_bundles().try_emplace(&linked);
    if (!is_new) return place->second;
    try {
        const std::span bytes(static_cast<const std::byte*>(linked.bytes), linked.size);
        place->second.bundle = Bundle::from_memory(bytes, linked.name);
    } catch (const Error& error) {
        place->second.problem = error.message();
    }
    return place->second;
}

}  // namespace

void visit_linked_bundles(const LinkedVisitor& visit) {
    const std::lock_guard lock(linked_mutex);
    for (const sagejit_linked_bundle* each = first_linked; each != nullptr; each = each->next) {
        const Opened& opened = open_linked(*each);
        if (visit(opened.bundle ? &*opened.bundle : nullptr, each->name, opened.problem)) return;
    }
}

std::vector<Bundle> linked_bundles() {
    std::vector<Bundle> bundles;
    visit_linked_bundles(
        [&](const Bundle* bundle, const std::string& name, const std::string& problem) {
            if (bundle == nullptr) throw Error(ErrorCode::kInvalidInput, problem, name);
            bundles.push_back(*bundle);
            return false;
        });
    return bundles;
}

}  // namespace sagejit

void sagejit_link_bundle(sagejit_linked_bundle* bundle) {
    const std::lock_guard lock(sagejit::linked_mutex);
    sagejit_linked_bundle** place = &sagejit::first_linked;
    while (*place != nullptr && *place != bundle) place = &(*place)->next;
    if (*place == bundle) return;
    bundle->next = nullptr;
    *place = bundle;
}

void sagejit_unlink_bundle(sagejit_linked_bundle* bundle) {
    const std::lock_guard lock(sagejit::linked_mutex);
    sagejit::opened_bundles().erase(bundle);
    sagejit_linked_bundle** place = &sagejit::first_linked;
    while (*place != nullptr && *place != bundle) place = &(*place)->next;
    if (*place == bundle) *place = bundle->next;
}
