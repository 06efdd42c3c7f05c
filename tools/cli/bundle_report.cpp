#include "bundle_report.h"

#include <fmt/format.h>

#include "tune/bucket.h"

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

Json tuned_json(const BundleKernel& kernel) {
    Json tuned = Json::array();
    for (const BundleTuning& tuning : kernel.tuned) {
        tuned.push_back({{"device", tuning.device},
                         {"multiprocessors", tuning.multiprocessors},
                         {"compute_capability", tuning.compute_capability},
                         {"rows", tuning.rows},
                         {"len_q", tuning.len_q},
                         {"len_k", tuning.len_k}});
    }
    return tuned;
}

std::string tuned_text(const BundleKernel& kernel) {
    std::string text;
    for (const BundleTuning& tuning : kernel.tuned) {
        text += fmt::format("{} for {} ({}) is tuned for {}, {}\n", kernel.name, kernel.target,
                            kernel.source_hash.substr(0, 8), tuning.device,
                            to_text(ShapeBucket{tuning.rows, tuning.len_q, tuning.len_k}));
    }
    return text;
}

std::string slow_text(const BundleKernel& kernel) {
    if (kernel.slow_code.empty()) return {};
    return fmt::format("{} for {} ({}) is slow: {}\n", kernel.name, kernel.target,
                       kernel.source_hash.substr(0, 8), kernel.slow_code);
}

}  // namespace sagejit::cli
