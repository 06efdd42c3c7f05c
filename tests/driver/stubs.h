// Using the stub driver and the stub NVRTC, in a program whose main does not.
#pragma once

#include <stdlib.h>

#include <fstream>
#include <string>

#include "unit/scoped_variable.h"
#include "unit/temporary_directory.h"

namespace sagejit::test {

// Points the environment at the stubs and a cache of its own. To be called before the runtime
// opens either; main of the driver tests does.
inline void use_stubs(const TemporaryDirectory& cache) {
    setenv("SAGEJIT_CACHE_DIR", (cache.path() / "cache").c_str(), 1);
    setenv("SAGEJIT_LIBCUDA", SAGEJIT_STUB_CUDA, 1);
    setenv("SAGEJIT_NVRTC", SAGEJIT_STUB_NVRTC, 1);
    setenv("SAGEJIT_STUB_DEVICES", "9.0,8.0,9.0", 0);
    const char* visible = getenv("SAGEJIT_TEST_VISIBLE");  // of the tests, not of the machine
    if (visible != nullptr) setenv("CUDA_VISIBLE_DEVICES", visible, 1);
    if (visible == nullptr) unsetenv("CUDA_VISIBLE_DEVICES");
}

// Counts the compilations of the stub NVRTC, of all processes that share the environment.
class CompilationLog {
  public:
    int count() const {
        std::ifstream file(directory_.path() / "log");
        int lines = 0;
        for (std::string line; std::getline(file, line);) ++lines;
        return lines;
    }

  private:
    TemporaryDirectory directory_;
    ScopedVariable variable_{"SAGEJIT_STUB_NVRTC_LOG", (directory_.path() / "log").string()};
};

}  // namespace sagejit::test
