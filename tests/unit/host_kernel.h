// Kernels written by hand for the host device.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

#include "call.h"
#include "configs.h"
#include "host/module.h"
#include "host/sanitizers.h"

// A host text: what the generator puts in front of its kernels, then `body`.
inline std::string host_text(const std::string& body) {
    std::string text;
    for (const char* name : {"host/qualifiers.cuh", "common/types.cuh", "common/call.cuh",
                             "host/api.cuh", "host/prelude.cuh"}) {
        std::ifstream file(sagejit::test::source_path(std::string("templates/") + name));
        text.append(std::istreambuf_iterator<char>(file), {});
    }
    return text + body;
}

// True, and says so, under ThreadSanitizer: for tests whose kernels race on purpose.
inline bool skips_races() {
    if (sagejit::host::kThreadSanitizer) WARN("skipped: the kernel races on purpose");
    return sagejit::host::kThreadSanitizer;
}

// A loaded host text whose kernels read call.q.data and write call.o.data.
class TestKernels {
  public:
    explicit TestKernels(const std::string& body)
        : module_(sagejit::host::load_host_module(host_text(body))) {}

    struct Geometry {
        int64_t ctas = 1;
        int threads = 32;
        int shared_bytes = 1024;
        uint64_t seed = 0;
        const sagejit::abi::TensorMap* map = nullptr;  // call.v_map
        int cluster = 1;
    };
    void run(const std::string& name, const void* input, void* output,
             const Geometry& geometry) const {
        sagejit::abi::Call call{};
        call.q.data = const_cast<void*>(input);
        call.o.data = output;
        if (geometry.map != nullptr) call.v_map = *geometry.map;
        module_.run(name, call, geometry.ctas, geometry.threads, geometry.shared_bytes,
                    geometry.seed, geometry.cluster);
    }

  private:
    sagejit::host::HostModule module_;
};
