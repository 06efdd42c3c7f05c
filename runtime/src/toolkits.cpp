#include "toolkits.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <tuple>

#include "cache_entry.h"
#include "compile_cubin.h"
#include "read_file.h"

namespace sagejit {
namespace {

// The key's lines before the source are far shorter, unless somebody compiles with pages of flags.
constexpr size_t kHeadBytes = 4096;

auto order_of(const NvrtcInfo& info) {
    return std::tie(info.major, info.minor, info.build, info.options);
}

std::optional<NvrtcInfo> toolkit_of(const KeyHead& head, const std::string& arch) {
    NvrtcInfo info;
    if (std::sscanf(head.nvrtc.c_str(), "%d.%d.%d", &info.major, &info.minor, &info.build) != 3) {
        return std::nullopt;
    }
    // What is not asked of every NVRTC is what this one knows; flags of the environment are the
    // caller's.
    const std::vector<std::string> always = compile_options({}, arch);
    for (const std::string& option : head.options) {
        const bool is_asked = std::find(always.begin(), always.end(), option) != always.end();
        if (!is_asked && !option.starts_with(kEnvironmentFlags)) info.options.push_back(option);
    }
    return info;
}

}  // namespace

std::vector<NvrtcInfo> toolkits_of_entries(const TrustedDirectory& layout,
                                           const std::string& arch) {
    std::vector<NvrtcInfo> toolkits;
    const TrustedDirectory entries = layout.open_child(arch, TrustedDirectory::Missing::kRefuse);
    if (!entries.is_open()) return toolkits;
    entries.for_each([&](const std::string& prefix, const struct stat&) {
        const TrustedDirectory directory =
            entries.open_child(prefix, TrustedDirectory::Missing::kRefuse);
        if (!directory.is_open()) return;
        directory.for_each([&](const std::string& name, const struct stat&) {
            const FileContent content = read_file(directory, name, kHeadBytes);
            if (content.state != FileContent::kWhole) return;
            const auto toolkit = toolkit_of(read_key_head(content.bytes), arch);
            if (toolkit) toolkits.push_back(*toolkit);
        });
    });
    std::sort(toolkits.begin(), toolkits.end(),
              [](const NvrtcInfo& a, const NvrtcInfo& b) { return order_of(a) > order_of(b); });
    const auto same = [](const NvrtcInfo& a, const NvrtcInfo& b) {
        return order_of(a) == order_of(b);
    };
    toolkits.erase(std::unique(toolkits.begin(), toolkits.end(), same), toolkits.end());
    return toolkits;
}

}  // namespace sagejit
