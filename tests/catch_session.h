// Catch2, compiled once for all suites; each has a main of its own.
#pragma once

namespace sagejit::test {

// Runs the test cases that the command line names. Returns the program's exit status.
int run_catch(int argc, char** argv);

}  // namespace sagejit::test
