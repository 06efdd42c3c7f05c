// What ptxas said about one entry of a cubin.
#pragma once

#include <string>

namespace sagejit {

struct CubinEntry {
    std::string symbol;
    int registers = 0;            // per thread
    int stack_bytes = 0;          // per thread: its frame and those it calls
    int spill_store_bytes = 0;    // per thread, of the entry and what it calls
    int spill_load_bytes = 0;     // likewise
    int static_shared_bytes = 0;  // per CTA

    bool operator==(const CubinEntry&) const = default;
};

}  // namespace sagejit
