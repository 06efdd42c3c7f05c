#include "prepared_kernels.h"

#include <deque>
#include <mutex>
#include <shared_mutex>

namespace sagejit {
namespace {

struct Entry {
    Spec spec;
    int ordinal;
    std::mutex preparing;          // held by the thread that prepares it
    std::optional<Kernel> kernel;  // written under both mutexes, read under either
};

struct Table {
    std::shared_mutex mutex;
    std::deque<Entry> entries;  // stay where they are; few, so found by looking at each

    Entry* find(const Spec& spec, const Device& device) {
        for (Entry& entry : entries) {
            if (entry.ordinal == device.ordinal() && entry.spec == spec) return &entry;
        }
        return nullptr;
    }
};

// Never destroyed: kernels cannot be unloaded once the driver is gone.
Table& table() {
    static Table* const all = new Table;
    return *all;
}

Entry& entry_for(const Spec& spec, const Device& device) {
    const std::lock_guard lock(table().mutex);
    if (Entry* entry = table().find(spec, device)) return *entry;
    Entry& entry = table().entries.emplace_back();
    entry.spec = spec;
    entry.ordinal = device.ordinal();
    return entry;
}

}  // namespace

std::optional<Kernel> find_prepared(const Spec& spec, const Device& device) {
    const std::shared_lock lock(table().mutex);
    const Entry* entry = table().find(spec, device);
    return entry != nullptr ? entry->kernel : std::nullopt;
}

Kernel find_or_prepare(const Spec& spec, const Device& device) {
    Entry& entry = entry_for(spec, device);
    const std::lock_guard preparing(entry.preparing);
    if (!entry.kernel) {
        Kernel kernel = prepare(spec, device);
        const std::lock_guard lock(table().mutex);
        entry.kernel = std::move(kernel);
    }
    return *entry.kernel;
}

}  // namespace sagejit
