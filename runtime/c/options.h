// Structures that begin with struct_size, as callers compiled with other versions lay them out.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "status.h"

namespace sagejit::c {

// The sizes structures had when they first appeared: nobody can have a smaller one. Update none of
// these when a structure grows.
template <typename T>
inline constexpr size_t kFirstSize = 0;
template <>
inline constexpr size_t kFirstSize<sagejit_prepare_options> = 32;
template <>
inline constexpr size_t kFirstSize<sagejit_kernel_info> = 56;
template <>
inline constexpr size_t kFirstSize<sagejit_warmup_line> = 104;
template <>
inline constexpr size_t kFirstSize<sagejit_call> = 344;
template <>
inline constexpr size_t kFirstSize<sagejit_attention_options> = 40;

// The caller's structure as this library lays it out: what a smaller one lacks is zero. Throws
// Error(kInvalidArgument) for a size that no version has, and for members of a newer version that
// are set, since they would be ignored.
template <typename T>
T read_sized(const T* given, const char* name) {
    static_assert(std::is_trivially_copyable_v<T> && kFirstSize<T> > 0 &&
                  kFirstSize<T> <= sizeof(T));
    T known{};
    const size_t size = required(given, name)->struct_size;
    if (size < kFirstSize<T>) {
        refuse(fmt::format("{}.struct_size", name),
               fmt::format("expected at least {}, got {}", kFirstSize<T>, size),
               "set it to sizeof the structure");
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(given);
    if (size > sizeof(T) && std::any_of(bytes + sizeof(T), bytes + size,
                                        [](unsigned char byte) { return byte != 0; })) {
        refuse(fmt::format("{}.struct_size", name),
               fmt::format("{} bytes with something set past the {} that sagejit {} knows", size,
                           sizeof(T), sagejit_version()),
               "update the library, or leave the newer members zero");
    }
    std::memcpy(&known, given, std::min(size, sizeof(T)));
    known.struct_size = sizeof(T);
    return known;
}

// Fills the caller's structure as far as it goes; what it has beyond is set to zero. Throws as
// read_sized does for a size that no version has.
template <typename T>
void write_sized(const T& known, T* given, const char* name) {
    static_assert(std::is_trivially_copyable_v<T> && kFirstSize<T> > 0 &&
                  kFirstSize<T> <= sizeof(T));
    const size_t size = required(given, name)->struct_size;
    if (size < kFirstSize<T>) {
        refuse(fmt::format("{}.struct_size", name),
               fmt::format("expected at least {}, got {}", kFirstSize<T>, size),
               "set it to sizeof the structure");
    }
    auto* bytes = reinterpret_cast<unsigned char*>(given);
    std::memcpy(bytes, &known, std::min(size, sizeof(T)));
    if (size > sizeof(T)) std::memset(bytes + sizeof(T), 0, size - sizeof(T));
    given->struct_size = size;
}

// Throws unless a member that is to be zero is.
inline void check_reserved(const char* where, int64_t value) {
    if (value != 0) refuse(where, fmt::format("expected 0, got {}", value));
}

}  // namespace sagejit::c
