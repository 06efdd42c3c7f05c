// Counts what a launch must not do. Linked into the driver tests, the functions below stand in for
// libc's and count before they do the same.
#pragma once

#include <cstdint>

namespace sagejit::test {

// Of the calling thread.
struct CountedCalls {
    int64_t allocations = 0;  // malloc and its kin, so operator new too
    int64_t locks = 0;        // pthread_mutex_lock, pthread_rwlock_*lock
    int64_t getenvs = 0;
};
CountedCalls counted_calls();

}  // namespace sagejit::test
