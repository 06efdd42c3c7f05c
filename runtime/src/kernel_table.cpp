#include "kernel_table.h"

#include <thread>

namespace sagejit {
namespace {

constexpr size_t kFirstSize = 64;

}  // namespace

struct KernelTable::Wanted {
    Wanted(const Spec& the_spec, int the_ordinal, const ShapeBucket& the_bucket)
        : spec(the_spec), ordinal(the_ordinal), bucket(the_bucket), numbers(numbers_of(the_spec)) {
        constexpr size_t kOdd = 0x632be59bd9b4e019u, kOther = 0x9e3779b97f4a7c15u;
        const size_t sizes =
            (static_cast<size_t>(bucket.rows) * 31 + bucket.len_q) * 31 + bucket.len_k;
        hash = hash_of(numbers, spec.target) ^ static_cast<size_t>(ordinal + 1) * kOdd ^
               (sizes * kOther >> 17);
    }
    explicit Wanted(const Key& key) : Wanted(key.spec, key.ordinal, key.bucket) {}

    bool is(const Node& node) const {
        return node.hash == hash && node.numbers == numbers && node.key.ordinal == ordinal &&
               node.key.bucket == bucket && node.key.spec.target == spec.target;
    }

    const Spec& spec;
    const int ordinal;
    const ShapeBucket& bucket;
    const SpecNumbers numbers;
    size_t hash = 0;
};

KernelTable::KernelTable() {
    all_slots_.push_back(std::make_unique<Slots>(kFirstSize));
    slots_ = all_slots_.back().get();
}

inline KernelTable::Node* KernelTable::find_node(const Wanted& wanted) const {
    const Slots& slots = *slots_.load(std::memory_order_acquire);
    for (size_t at = wanted.hash & slots.mask;; at = (at + 1) & slots.mask) {
        Node* node = slots.nodes[at].load(std::memory_order_acquire);
        if (node == nullptr || wanted.is(*node)) return node;
    }
}

[[gnu::hot]] KernelTable::Hold KernelTable::find(const Spec& spec, const Device& device,
                                                 const ShapeBucket& bucket) const {
    return Hold(find_node(Wanted(spec, device.ordinal(), bucket)));
}

void KernelTable::insert(Slots& slots, Node* node) {
    size_t at = node->hash & slots.mask;
    while (slots.nodes[at].load(std::memory_order_relaxed) != nullptr) at = (at + 1) & slots.mask;
    slots.nodes[at].store(node, std::memory_order_release);
}

KernelTable::Node& KernelTable::find_or_add_node(const Key& key, const Wanted& wanted) {
    const std::lock_guard lock(mutex_);
    if (Node* node = find_node(wanted)) return *node;
    auto node = std::make_unique<Node>();
    node->key = key;
    node->numbers = wanted.numbers;
    node->hash = wanted.hash;
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

bool KernelTable::replace(const Key& key, std::unique_ptr<const Prepared> prepared) {
    const Wanted wanted(key);
    Node* node = find_node(wanted);
    if (node == nullptr && prepared == nullptr) return false;
    if (node == nullptr) node = &find_or_add_node(key, wanted);
    const std::unique_ptr<const Prepared> old(node->prepared.exchange(prepared.release()));
    // Readers are launches: they are gone in microseconds.
    while (old != nullptr && node->readers.load() != 0) std::this_thread::yield();
    return old != nullptr;
}

std::vector<KernelTable::Key> KernelTable::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<Key> result;
    for (const auto& node : nodes_) {
        if (node->prepared.load() != nullptr) result.push_back(node->key);
    }
    return result;
}

}  // namespace sagejit
