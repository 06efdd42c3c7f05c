#include "known_nvrtc.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "nvrtc_record.h"
#include "nvrtc_sighting.h"

namespace sagejit {
namespace {

// One for each set of circumstances, such as a virtual environment with an NVRTC of its own.
constexpr size_t kMostRecords = 8;

std::optional<NvrtcInfo> look_up(const DiskCache& cache) {
    const std::vector<NvrtcRecord> records = decode_records(cache.note(DiskCache::kNvrtcNote));
    if (records.empty()) return std::nullopt;
    const auto library = sight_nvrtc();
    if (!library) return std::nullopt;
    const std::string search = checksum_of_search(*library);
    for (const NvrtcRecord& record : records) {
        if (record.search != search) continue;
        const auto builtins = sight_builtins(record.info);
        if (builtins && record.builtins == checksum_of_search(*builtins)) return record.info;
    }
    return std::nullopt;
}

}  // namespace

const NvrtcInfo* known_nvrtc(const DiskCache& cache) {
    // Never destroyed. Threads that look at the same time may each make one; one of them stays.
    static std::atomic<const NvrtcInfo*> known = nullptr;
    if (nvrtc_is_open()) return nullptr;
    if (const NvrtcInfo* info = known.load(std::memory_order_acquire)) return info;
    std::optional<NvrtcInfo> found = look_up(cache);
    if (!found) return nullptr;
    const auto* made = new NvrtcInfo(*std::move(found));
    const NvrtcInfo* expected = nullptr;
    if (known.compare_exchange_strong(expected, made, std::memory_order_acq_rel)) return made;
    delete made;
    return expected;
}

void remember_nvrtc(const DiskCache& cache, const NvrtcApi& api) {
    if (!api.record) return;
    std::vector<NvrtcRecord> records = decode_records(cache.note(DiskCache::kNvrtcNote));
    if (std::find(records.begin(), records.end(), *api.record) != records.end()) return;
    std::erase_if(records,
                  [&api](const NvrtcRecord& old) { return old.search == api.record->search; });
    records.insert(records.begin(), *api.record);
    if (records.size() > kMostRecords) records.resize(kMostRecords);
    const std::string text = encode_records(records);
    if (!text.empty()) cache.write_note(DiskCache::kNvrtcNote, text);
}

}  // namespace sagejit
