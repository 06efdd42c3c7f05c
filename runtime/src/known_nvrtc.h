// The NVRTC that would be opened, known from an earlier process that did open it.
#pragma once

#include "disk_cache.h"
#include "nvrtc_api.h"

namespace sagejit {

// The NVRTC this process would open, where the cache has a record of it and everything that decides
// which one it is looks as it did then. Null where that is not certain, or where NVRTC is open:
// then nvrtc_api() tells. The answer stays for the life of the process, as an open NVRTC would; but
// if NVRTC is opened after all and is another, it is the one that counts.
const NvrtcInfo* known_nvrtc(const DiskCache& cache);

// Puts an NVRTC that this process has opened on record, if it can be known again. Quietly: a record
// only saves time.
void remember_nvrtc(const DiskCache& cache, const NvrtcApi& api);

}  // namespace sagejit
