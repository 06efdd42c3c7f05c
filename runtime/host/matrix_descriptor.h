// The matrices in shared memory that wgmma names by descriptors (PTX ISA, "Matrix descriptor" and
// the layouts of wgmma).
#pragma once

#include "call.h"

namespace sagejit::host {

using abi::u32, abi::u64;

// A descriptor, in bytes.
struct MatrixDescriptor {
    u32 address = 0;
    u32 leading = 0;
    u32 stride = 0;
    u32 swizzle = 0;  // 0, 32, 64 or 128
    bool valid = false;

    // Where 16 bytes of the matrix lie. K-major: chunk `part` (0 or 1) of the 32 bytes of row
    // `index`. A row is one of A or a column of B.
    u32 k_major(u32 index, u32 part) const {
        const u32 pitch = swizzle == 0 ? 16 : swizzle;
        const u32 along = swizzle == 0 ? leading : 16;
        return swizzled(address + index / 8 * stride + index % 8 * pitch + part * along);
    }
    // MN-major, of 16-bit elements: columns 8 part to 8 part + 7 of row k of B.
    u32 mn_major(u32 k, u32 part) const {
        const u32 chunks = swizzle / 16;  // of a panel
        return swizzled(address + part / chunks * leading + k / 8 * stride + k % 8 * swizzle +
                        part % chunks * 16);
    }

  private:
    u32 swizzled(u32 at) const {
        return swizzle == 0 ? at : at ^ ((at >> 7 & (swizzle / 16 - 1)) << 4);
    }
};

// Not valid where bits that must be zero are not, the base offset among them.
inline MatrixDescriptor decode_descriptor(u64 bits) {
    constexpr u64 kUsed = 0xc0003fff3fff3fff;
    constexpr u32 kSwizzles[4] = {0, 128, 64, 32};
    MatrixDescriptor descriptor;
    descriptor.address = static_cast<u32>(bits & 0x3fff) << 4;
    descriptor.leading = static_cast<u32>(bits >> 16 & 0x3fff) << 4;
    descriptor.stride = static_cast<u32>(bits >> 32 & 0x3fff) << 4;
    descriptor.swizzle = kSwizzles[bits >> 62];
    descriptor.valid = (bits & ~kUsed) == 0;
    return descriptor;
}

}  // namespace sagejit::host
