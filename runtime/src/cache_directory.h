// Where compiled kernels are kept by default.
#pragma once

#include <filesystem>

namespace sagejit {

// $SAGEJIT_CACHE_DIR, else $XDG_CACHE_HOME/sagejit, else ~/.cache/sagejit; empty where the user
// has no home directory. Never a shared temporary directory. Creates nothing.
std::filesystem::path default_cache_directory();

}  // namespace sagejit
