#include "entry.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "state.h"

namespace sagejit::stub {
namespace {

enum Index {
#define SAGEJIT_STUB_INDEX(function, name) k_##name,
    SAGEJIT_STUB_ENTRIES(SAGEJIT_STUB_INDEX)
#undef SAGEJIT_STUB_INDEX
        k_ctx_create,
    kCount
};

struct Counter {
    std::atomic<uint64_t> calls = 0;
    std::atomic<int> skip = 0, times = 0, result = 0;
};

std::array<Counter, kCount>& counters() {
    static std::array<Counter, kCount> all;
    return all;
}

CUresult enter(Index index) {
    Counter& counter = counters()[index];
    counter.calls.fetch_add(1, std::memory_order_relaxed);
    if (counter.times.load(std::memory_order_relaxed) > 0) {
        if (counter.skip > 0) {
            --counter.skip;
        } else {
            --counter.times;
            return static_cast<CUresult>(counter.result.load());
        }
    }
    const bool always = index == k_initialise || index == k_driver_get_version ||
                        index == k_get_error_name || index == k_get_error_string;
    const State& all = state();
    return always || (all.initialised && !all.forked) ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

template <Index index, auto implementation>
struct Thunk;

template <Index index, typename... Arguments, CUresult (*implementation)(Arguments...)>
struct Thunk<index, implementation> {
    static CUresult call(Arguments... arguments) {
        const CUresult refused = enter(index);
        return refused != CUDA_SUCCESS ? refused : implementation(arguments...);
    }
};

struct Entry {
    const char* name;
    void* function;
};

const std::array<Entry, kCount> kEntries = {{
#define SAGEJIT_STUB_ENTRY(function, name) \
    {#function, reinterpret_cast<void*>(&Thunk<k_##name, &name>::call)},
    SAGEJIT_STUB_ENTRIES(SAGEJIT_STUB_ENTRY)
#undef SAGEJIT_STUB_ENTRY
        {"cuCtxCreate", reinterpret_cast<void*>(&Thunk<k_ctx_create, &ctx_create>::call)},
}};

int index_of(std::string_view name) {
    for (int i = 0; i < kCount; ++i) {
        if (kEntries[i].name == name) return i;
    }
    return -1;
}

}  // namespace

void fail(const char* function, int result, int skip, int times) {
    const int index = index_of(function);
    if (index < 0) std::abort();  // a test that would test nothing
    counters()[index].skip = skip;
    counters()[index].result = result;
    counters()[index].times = times;
}

uint64_t calls(const char* function) {
    const int index = index_of(function);
    return index < 0 ? 0 : counters()[index].calls.load();
}

uint64_t all_calls() {
    uint64_t sum = 0;
    for (const Counter& counter : counters()) sum += counter.calls;
    return sum;
}

void reset_counters() {
    for (Counter& counter : counters()) counter.calls = counter.times = counter.skip = 0;
}

void arm_faults(const char* text) {
    constexpr int kForever = 1 << 30;
    std::string rest = text;
    while (!rest.empty()) {
        const size_t comma = rest.find(','), equals = rest.find('=');
        if (equals == std::string::npos) return;
        fail(rest.substr(0, equals).c_str(), std::atoi(rest.c_str() + equals + 1), 0, kForever);
        rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
    }
}

CUresult get_proc_address(const char* symbol, void** function, int version, cuuint64_t flags,
                          CUdriverProcAddressQueryResult* status) {
    (void)flags;  // every stream here is of the legacy kind
    const int index = symbol != nullptr ? index_of(symbol) : -1;
    // cuFuncLoad came with CUDA 12.4.
    const int oldest = index == k_func_load ? 12040 : 0;
    const bool found = index >= 0 && version >= oldest;
    if (function != nullptr) *function = found ? kEntries[index].function : nullptr;
    if (status != nullptr) {
        *status = found ? CU_GET_PROC_ADDRESS_SUCCESS : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    }
    return found ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

}  // namespace sagejit::stub

#undef cuGetProcAddress
#undef cuGetProcAddress_v2
extern "C" __attribute__((visibility("default"))) CUresult cuGetProcAddress_v2(
    const char* symbol, void** function, int version, cuuint64_t flags,
    CUdriverProcAddressQueryResult* status) {
    return sagejit::stub::get_proc_address(symbol, function, version, flags, status);
}
