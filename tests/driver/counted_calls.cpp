#include "counted_calls.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

namespace {

constinit thread_local sagejit::test::CountedCalls counts;

}  // namespace

namespace sagejit::test {
CountedCalls counted_calls() { return counts; }
}  // namespace sagejit::test

#ifndef SAGEJIT_SANITIZE  // sanitizers have replacements of their own

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t size) {
    ++counts.allocations;
    return __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
    ++counts.allocations;
    return __libc_calloc(count, size);
}

void* realloc(void* memory, size_t size) {
    ++counts.allocations;
    return __libc_realloc(memory, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
    ++counts.allocations;
    return __libc_memalign(alignment, size);
}

char* getenv(const char* name) noexcept {
    ++counts.getenvs;
    const size_t length = std::strlen(name);
    for (char** each = environ; each != nullptr && *each != nullptr; ++each) {
        if (std::strncmp(*each, name, length) == 0 && (*each)[length] == '=') {
            return *each + length + 1;
        }
    }
    return nullptr;
}

#define SAGEJIT_COUNTED_LOCK(function, type)                                      \
    int function(type* lock) noexcept {                                           \
        ++counts.locks;                                                           \
        static const auto real =                                                  \
            reinterpret_cast<decltype(&::function)>(dlsym(RTLD_NEXT, #function)); \
        return real(lock);                                                        \
    }
SAGEJIT_COUNTED_LOCK(pthread_mutex_lock, pthread_mutex_t)
SAGEJIT_COUNTED_LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
SAGEJIT_COUNTED_LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)

}  // extern "C"

#endif
