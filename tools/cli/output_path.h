// Checks on where a verb is about to write, made before any work is done.
#pragma once

#include <string>
#include <vector>

namespace sagejit::cli {

// True for a directory that exists and for a name that ends in '/'.
bool names_directory(const std::string& path);

// Creates the directory, and those it is in, where there is none. Throws Error(kIo).
void make_directory(const std::string& path);

// Refuses an output that is one of the inputs (Error(kInvalidArgument)), and one that cannot be
// created: a directory, or a file in a directory that is missing (Error(kIo)).
void check_output(const std::string& output, const std::vector<std::string>& inputs);

}  // namespace sagejit::cli
