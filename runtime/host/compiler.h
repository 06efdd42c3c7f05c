// The C++ compiler the host device uses.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sagejit::host {

struct HostCompiler {
    std::filesystem::path path;
    std::vector<std::string> arguments;  // that come first: the words after the first of $CXX
    std::string version;                 // first line of --version
};

// The first of $SAGEJIT_HOST_CXX, $CXX, c++, g++ and clang++ that runs. $SAGEJIT_HOST_CXX is a
// request: where it is set and does not run, no other is tried.
// Throws Error(kNoHostCompiler) with what was looked for.
HostCompiler find_host_compiler();

// Everything on its command line that decides what the compiler makes of a text, sanitizers of
// this build included.
std::vector<std::string> host_compiler_flags();

// Compiles a source file into a shared library that needs no other. Throws Error(kCompileFailed)
// with the compiler's messages; `where` is the source, which is the caller's to keep.
void compile_host_source(const HostCompiler& compiler, const std::filesystem::path& source,
                         const std::filesystem::path& library);

}  // namespace sagejit::host
