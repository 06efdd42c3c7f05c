#include "bundle_report.h"

#include <fmt/format.h>

namespace sagejit::cli {

std::string kernel_count(size_t count) {
    return fmt::format("{} kernel{}", count, count == 1 ? "" : "s");
}

Json entries_json(const BundleKernel& kernel) {
    Json entries = Json::array();
    for (const CubinEntry& entry : kernel.entries) {
        entries.push_back({{"entry", entry.symbol},
                           {"registers", entry.registers},
                           {"stack_bytes", entry.stack_bytes},
                           {"spill_store_bytes", entry.spill_store_bytes},
                           {"spill_load_bytes", entry.spill_load_bytes},
                           {"static_shared_bytes", entry.static_shared_bytes}});
    }
    return entries;
}

}  // namespace sagejit::cli
