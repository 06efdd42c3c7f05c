#include "nvrtc_sighting.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "bundle/checksum.h"
#include "nvrtc_search.h"

namespace sagejit {
namespace {

// NVRTC's own variables, such as NVRTC_APPEND_FLAGS, which may make it refuse an option.
std::vector<std::string> variables_of_nvrtc() {
    std::vector<std::string> variables;
    for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
        if (std::string_view(*each).starts_with("NVRTC_")) variables.emplace_back(*each);
    }
    std::sort(variables.begin(), variables.end());
    return variables;
}

}  // namespace

std::optional<LibrarySighting> sight_nvrtc() {
    std::vector<SearchedPlace> ignored;
    return sight_library(nvrtc_candidates(ignored), /*may_be_loaded=*/false);
}

std::vector<std::string> builtins_candidates(const NvrtcInfo& info) {
    const std::string name = fmt::format("libnvrtc-builtins.so.{}.{}", info.major, info.minor);
    return {(std::filesystem::path(info.path).parent_path() / name).string(), name};
}

std::optional<LibrarySighting> sight_builtins(const NvrtcInfo& info) {
    return sight_library(builtins_candidates(info), /*may_be_loaded=*/true);
}

std::string checksum_of_search(const LibrarySighting& sighting) {
    std::string text = sighting.text;
    for (std::string_view option : kReproducibleOptions) text += fmt::format("{}\n", option);
    for (const std::string& variable : variables_of_nvrtc()) text += variable + "\n";
    return to_hex(checksum({{reinterpret_cast<const uint8_t*>(text.data()), text.size()}}));
}

std::optional<NvrtcRecord> record_of(const NvrtcInfo& info,
                                     const std::optional<LibrarySighting>& library,
                                     const std::optional<LibrarySighting>& builtins) {
    if (!library || !library->is_settled_at(info.path) || !builtins) return std::nullopt;
    const bool is_as_seen =
        builtins->found ? builtins->is_settled_at(info.builtins_path) : info.builtins_path.empty();
    if (!is_as_seen) return std::nullopt;
    return NvrtcRecord{checksum_of_search(*library), checksum_of_search(*builtins), info};
}

}  // namespace sagejit
