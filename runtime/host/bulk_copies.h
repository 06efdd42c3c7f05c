// Bulk copies to shared memory: a range of bytes, or the box of a tensor map.
#pragma once

#include "call.h"

namespace sagejit::host {

using abi::i32, abi::i64, abi::u32, abi::u64;

// A copy that has been issued and not completed. A range is a box of one row.
struct BulkCopy {
    const char* operation = "";
    void* caller = nullptr;  // the kernel's line, as a return address
    u64 base = 0;            // address of the tensor
    u64 sizes[4] = {};       // elements
    u64 strides[3] = {};     // bytes, of dimensions 1 to 3
    u32 box[4] = {};         // elements
    i32 first[4] = {};       // coordinates of the box
    u32 element_bytes = 1;
    u32 swizzle = 0;  // bytes
    u32 address = 0;  // in shared memory
    u32 barrier = 0;  // index of the mbarrier
    u32 shadow = 0;
    bool may_land_early = false;

    u32 row_bytes() const { return box[0] * element_bytes; }
    u32 rows() const { return box[1] * box[2] * box[3]; }
    u32 bytes() const { return row_bytes() * rows(); }
};

// One row of a box: bytes begin..end of it come from source, the others are zero.
struct BulkRow {
    u32 address = 0;
    u32 bytes = 0;
    u32 begin = 0;
    u32 end = 0;
    u64 source = 0;  // of byte `begin`
};

BulkRow row_of(const BulkCopy& copy, u32 row);

// Fills in what a map says; false for memory that is no map.
bool decode_tensor_map(const abi::TensorMap& map, BulkCopy& copy);

}  // namespace sagejit::host
