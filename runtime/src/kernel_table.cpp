#include "kernel_table.h"

#include <thread>

#include "spec_key.h"

namespace sagejit {
namespace {

constexpr size_t kFirstSize = 64;

size_t hash_of(const Spec& spec, int ordinal) {
    return sagejit::hash_of(spec) ^ static_cast<size_t>(ordinal + 1) * 0x632be59bd9b4e019u;
}

}  // namespace

KernelTable::KernelTable() {
    all_slots_.push_back(std::make_unique<Slots>(kFirstSize));
    slots_ = all_slots_.back().get();
}

KernelTable::Node* KernelTable::find_node(const Spec& spec, int ordinal, size_t hash) const {
    const Slots& slots = *slots_.load(std::memory_order_acquire);
    for (size_t at = hash & slots.mask;; at = (at + 1) & slots.mask) {
        Node* node = slots.nodes[at].load(std::memory_order_acquire);
        if (node == nullptr) return nullptr;
        if (node->hash == hash && node->ordinal == ordinal && ask_for_the_same(node->spec, spec)) {
            return node;
        }
    }
}

KernelTable::Hold KernelTable::find(const Spec& spec, const Device& device) const {
    return Hold(find_node(spec, device.ordinal(), hash_of(spec, device.ordinal())));
}

void KernelTable::insert(Slots& slots, Node* node) {
    size_t at = node->hash & slots.mask;
    while (slots.nodes[at].load(std::memory_order_relaxed) != nullptr) at = (at + 1) & slots.mask;
    slots.nodes[at].store(node, std::memory_order_release);
}

KernelTable::Node& KernelTable::find_or_add_node(const Spec& spec, int ordinal, size_t hash) {
    const std::lock_guard lock(mutex_);
    if (Node* node = find_node(spec, ordinal, hash)) return *node;
    auto node = std::make_unique<Node>();
    node->spec = spec;
    node->ordinal = ordinal;
    node->hash = hash;
    nodes_.push_back(std::move(node));
    Slots* slots = slots_.load(std::memory_order_relaxed);
    if (2 * nodes_.size() <= slots->nodes.size()) {
        insert(*slots, nodes_.back().get());
    } else {
        auto larger = std::make_unique<Slots>(2 * slots->nodes.size());
        for (const auto& each : nodes_) insert(*larger, each.get());
        slots_.store(larger.get(), std::memory_order_release);
        all_slots_.push_back(std::move(larger));
    }
    return *nodes_.back();
}

bool KernelTable::replace(const Spec& spec, const Device& device,
                          std::unique_ptr<const Prepared> prepared) {
    const size_t hash = hash_of(spec, device.ordinal());
    Node* node = find_node(spec, device.ordinal(), hash);
    if (node == nullptr && prepared == nullptr) return false;
    if (node == nullptr) node = &find_or_add_node(spec, device.ordinal(), hash);
    const std::unique_ptr<const Prepared> old(node->prepared.exchange(prepared.release()));
    // Readers are launches: they are gone in microseconds.
    while (old != nullptr && node->readers.load() != 0) std::this_thread::yield();
    return old != nullptr;
}

std::vector<std::pair<Spec, int>> KernelTable::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<Spec, int>> result;
    for (const auto& node : nodes_) {
        if (node->prepared.load() != nullptr) result.emplace_back(node->spec, node->ordinal);
    }
    return result;
}

}  // namespace sagejit
