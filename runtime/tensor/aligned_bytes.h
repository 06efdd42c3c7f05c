// Byte arrays that start where the widest vector load or copy may start.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace sagejit {

inline constexpr size_t kTensorAlignment = 64;  // bytes

template <class T>
struct TensorAllocator {
    using value_type = T;

    TensorAllocator() = default;
    template <class U>
    TensorAllocator(const TensorAllocator<U>&) {}

    T* allocate(size_t count) {
        return static_cast<T*>(
            ::operator new (count * sizeof(T), std::align_val_t{kTensorAlignment}));
    }
    void deallocate(T* pointer, size_t) {
        ::operator delete (pointer, std::align_val_t{kTensorAlignment});
    }
    template <class U>
    bool operator==(const TensorAllocator<U>&) const {
        return true;
    }
};

using AlignedBytes = std::vector<std::byte, TensorAllocator<std::byte>>;

}  // namespace sagejit
