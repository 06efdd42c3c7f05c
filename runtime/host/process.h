// Runs other programs, without a shell.
#pragma once

#include <string>
#include <vector>

namespace sagejit::host {

struct ProcessResult {
    int status = 0;      // exit status; 128 + n when signal n ended it; -1 when it did not start
    std::string output;  // standard output and standard error together, or why it did not start
};

// Runs arguments[0], a path, with the other arguments, no standard input and this process's
// environment, and waits for it.
ProcessResult run_process(const std::vector<std::string>& arguments);

// The executable file a command names: itself where it holds a slash, else the first in $PATH.
// Empty where there is none.
std::string find_program(const std::string& name);

}  // namespace sagejit::host
