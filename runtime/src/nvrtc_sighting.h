// What the search for NVRTC sees, without opening it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "library_sighting.h"
#include "nvrtc_library.h"
#include "nvrtc_record.h"

namespace sagejit {

// Of libnvrtc. nullopt where it cannot be told which one would be opened, or one is loaded already.
std::optional<LibrarySighting> sight_nvrtc();

// Candidates for the builtins library of an NVRTC of which path and version are known.
std::vector<std::string> builtins_candidates(const NvrtcInfo& info);
std::optional<LibrarySighting> sight_builtins(const NvrtcInfo& info);

// 32 hex digits of a sighting, and of all else that decides what opening NVRTC finds out: the
// options it is asked for and the flags it reads from the environment.
std::string checksum_of_search(const LibrarySighting& sighting);

// What to remember of an NVRTC that was opened after these sightings were made. nullopt where it
// could not be known again: what was opened is not what was seen, or has just been changed.
std::optional<NvrtcRecord> record_of(const NvrtcInfo& info,
                                     const std::optional<LibrarySighting>& library,
                                     const std::optional<LibrarySighting>& builtins);

}  // namespace sagejit
