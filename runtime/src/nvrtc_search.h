// The places NVRTC may be in.
#pragma once

#include <string>
#include <vector>

#include "dynamic_library.h"

namespace sagejit {

// Candidates for dlopen, in the order they are tried: $SAGEJIT_NVRTC alone where it is set; else
// the loader path, $CUDA_HOME and $CUDA_PATH, /usr/local/cuda, and the nvidia wheels of pip under
// $VIRTUAL_ENV, $CONDA_PREFIX, ~/.local, /usr and /usr/local. Directories that do not exist are
// recorded instead.
std::vector<std::string> nvrtc_candidates(std::vector<SearchedPlace>& searched);

}  // namespace sagejit
