// State that a forked child must start without: the threads that would have finished what is under
// way exist only in the parent.
#pragma once

#include <pthread.h>

#include <atomic>

namespace sagejit {

// One T for the process, made anew in every child. Never destroyed: a thread may still use it while
// the process exits. The parent's is left as it was, whatever lock its threads held.
template <typename T>
T& fork_safe() {
    static std::atomic<T*> current = [] {
        pthread_atfork(nullptr, nullptr, [] { current.store(new T); });
        return new T;
    }();
    return *current.load(std::memory_order_acquire);
}

}  // namespace sagejit
