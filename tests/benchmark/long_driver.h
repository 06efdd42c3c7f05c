// Stands in for a real driver's launch where there is none: it leaves as little of its caller in
// the processor's caches.
#pragma once

#include <cuda.h>

#include <array>
#include <cstdint>

namespace sagejit::test {

// 64 KiB of instructions, and a read of 64 KiB of data. A real launch of some 4 us runs through
// about as much.
[[gnu::noinline]] inline void sweep_caches() {
#if defined(__x86_64__)
    asm volatile(".rept 8192\n.byte 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00\n.endr");
#endif
    static std::array<volatile uint64_t, 8192> data{};
    for (size_t i = 0; i < data.size(); i += 8) data[i] = data[i] + 1;
}

}  // namespace sagejit::test
