// Which versions of NVRTC have filled a cache, learnt from the cache.
#pragma once

#include <string>
#include <vector>

#include "nvrtc_library.h"
#include "trusted_directory.h"

namespace sagejit {

// The NVRTCs that made the entries of an architecture, newest first and without paths. layout: the
// directory above those of the architectures. Reads the beginning of each entry and believes it: a
// wrong one leads to keys that no entry has, and entries are checked when they are found.
std::vector<NvrtcInfo> toolkits_of_entries(const TrustedDirectory& layout, const std::string& arch);

}  // namespace sagejit
