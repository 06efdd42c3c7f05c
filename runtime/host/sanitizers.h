// What the host device tells the sanitizers the runtime was built with. Fibers and copies made on
// behalf of a kernel are invisible to them otherwise.
//
// The files that run on fibers are compiled without ThreadSanitizer's instrumentation (see
// runtime/CMakeLists.txt), so that only the accesses of the kernel itself count, and these
// functions report those. Code there must not use common standard templates out of line: the
// linker would mix their instrumented and plain copies.
#pragma once

#include <cstddef>
#include <string_view>

extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void __tsan_read_range(void* address, unsigned long bytes);
void __tsan_write_range(void* address, unsigned long bytes);
void __tsan_func_entry(void* caller);
void __tsan_func_exit();

void __sanitizer_start_switch_fiber(void** fake_stack_save, const void* bottom, std::size_t bytes);
void __sanitizer_finish_switch_fiber(void* fake_stack_save, const void** bottom_old,
                                     std::size_t* bytes_old);
void __asan_poison_memory_region(const volatile void* address, std::size_t bytes);
void __asan_unpoison_memory_region(const volatile void* address, std::size_t bytes);
}

namespace sagejit::host {

#ifdef SAGEJIT_SANITIZE
inline constexpr std::string_view kSanitizers = SAGEJIT_SANITIZE;
#else
inline constexpr std::string_view kSanitizers;
#endif
inline constexpr bool kAddressSanitizer = kSanitizers.find("address") != std::string_view::npos;
inline constexpr bool kThreadSanitizer = kSanitizers.find("thread") != std::string_view::npos;

// A flag of __tsan_switch_to_fiber: what ran does not happen before what runs next.
inline constexpr unsigned kNoSynchronisation = 1;

// Everything the running CUDA thread did so far happens before what a thread does after acquire.
inline void release(char& tag) {
    if constexpr (kThreadSanitizer) __tsan_release(&tag);
}
inline void acquire(char& tag) {
    if constexpr (kThreadSanitizer) __tsan_acquire(&tag);
}

// Names the line of the kernel that called the host device in reports about accesses made while
// this object lives. caller: the return address.
class KernelLine {
  public:
    explicit KernelLine(void* caller) {
        if constexpr (kThreadSanitizer) __tsan_func_entry(caller);
    }
    ~KernelLine() {
        if constexpr (kThreadSanitizer) __tsan_func_exit();
    }
    KernelLine(const KernelLine&) = delete;
    KernelLine& operator=(const KernelLine&) = delete;
};

// An access of the running CUDA thread.
inline void note_read(const void* address, std::size_t bytes) {
    if constexpr (kThreadSanitizer) __tsan_read_range(const_cast<void*>(address), bytes);
}
inline void note_write(void* address, std::size_t bytes) {
    if constexpr (kThreadSanitizer) __tsan_write_range(address, bytes);
}

// A thread that only ThreadSanitizer sees: hardware that works beside the CUDA threads.
class ShadowThread {
  public:
    ShadowThread() = default;
    ~ShadowThread() {
        if constexpr (kThreadSanitizer) {
            if (fiber_ != nullptr) __tsan_destroy_fiber(fiber_);
        }
    }
    ShadowThread(const ShadowThread&) = delete;
    ShadowThread& operator=(const ShadowThread&) = delete;

    // What was released to the tag happens before what this thread does.
    void acquire_from(char& tag);
    // What this thread did happens before what others do after acquire(tag).
    void release_to(char& tag);

  private:
    friend class ShadowScope;
    void* fiber_ = nullptr;
};

// Accesses and releases made while this object lives are the shadow's. No fiber may switch then.
class ShadowScope {
  public:
    explicit ShadowScope(ShadowThread& shadow) {
        if constexpr (kThreadSanitizer) {
            if (shadow.fiber_ == nullptr) shadow.fiber_ = __tsan_create_fiber(0);
            caller_ = __tsan_get_current_fiber();
            __tsan_switch_to_fiber(shadow.fiber_, kNoSynchronisation);
        }
    }
    ~ShadowScope() {
        if constexpr (kThreadSanitizer) __tsan_switch_to_fiber(caller_, kNoSynchronisation);
    }
    ShadowScope(const ShadowScope&) = delete;
    ShadowScope& operator=(const ShadowScope&) = delete;

  private:
    void* caller_ = nullptr;
};

inline void ShadowThread::acquire_from(char& tag) {
    if constexpr (kThreadSanitizer) {
        const ShadowScope scope(*this);
        acquire(tag);
    }
}

inline void ShadowThread::release_to(char& tag) {
    if constexpr (kThreadSanitizer) {
        if (fiber_ == nullptr) return;
        const ShadowScope scope(*this);
        release(tag);
    }
}

// Memory that a kernel must not touch, and may touch again.
inline void poison(const void* address, std::size_t bytes) {
    if constexpr (kAddressSanitizer) __asan_poison_memory_region(address, bytes);
}
inline void unpoison(const void* address, std::size_t bytes) {
    if constexpr (kAddressSanitizer) __asan_unpoison_memory_region(address, bytes);
}

}  // namespace sagejit::host
