// What the verbs that write and read bundles say about kernels.
#pragma once

#include <cstddef>
#include <string>

#include "output.h"
#include "sagejit/bundle.h"

namespace sagejit::cli {

// "1 kernel", "2 kernels".
std::string kernel_count(size_t count);

// The entries of a kernel, as an array.
Json entries_json(const BundleKernel& kernel);

// The GPUs and sizes a kernel was found the fastest for; empty where nobody measured.
Json tuned_json(const BundleKernel& kernel);
// A line for each of them; empty where there is none.
std::string tuned_text(const BundleKernel& kernel);
// A line that says why the kernel is slow; empty where nothing of the kind is known.
std::string slow_text(const BundleKernel& kernel);

}  // namespace sagejit::cli
