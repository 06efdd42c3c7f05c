// wgmma problems for the host device's tests: operands packed into shared memory or registers, and
// the product as plain loops compute it.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "call.h"
#include "tensor/half.h"

namespace sagejit::test {

using abi::f32, abi::i32, abi::i8, abi::u16, abi::u32, abi::u64, abi::u8;

struct WgmmaCase {
    u32 kind = 0;
    u32 n = 8;
    u32 swizzle = 128;
    bool mn_major = false;
    bool registers = false;
    bool accumulate = false;

    bool is_16_bit() const { return kind == 1 || kind == 2; }
    // As many steps of 32 bytes as fill a row of a K-major operand, where there is one.
    u32 steps() const {
        if (mn_major && registers) return 3;
        return swizzle == 0 ? 2 : swizzle / 32;
    }
    u32 element_bytes() const { return is_16_bit() ? 2 : 1; }
    u32 depth() const { return steps() * 32 / element_bytes(); }
};

// What the kernel reads.
struct WgmmaJob {
    u32 kind, n, accumulate, mn_major, registers, steps, a_step, b_step, image_bytes, padding;
    u64 a_descriptor, b_descriptor;
    u32 d[64][256];
    u32 a[8][128][4];
    u8 image[98304];

    // The operands before packing, elements as bits.
    std::vector<u16> a_elements;  // [64][depth]
    std::vector<u16> b_elements;  // [n][depth]
};

// Where 16 bytes of a row lie in a tile with rows of `swizzle` bytes: the chunk's number is XORed
// with the row's bits.
inline u32 chunk_place(u32 row, u32 chunk, u32 swizzle) {
    const u32 rows_per_line = 128 / swizzle;  // rows that share a 128-byte line
    return row * swizzle + (chunk ^ (row / rows_per_line % (swizzle / 16))) * 16;
}

// Byte offset of an element of a K-major operand. Without a swizzle: matrices of 8 rows by 16
// bytes, contiguous; `groups` of 8 rows each next to one another, then the next 16 bytes of k.
inline u32 k_major_place(u32 row, u32 byte, u32 swizzle, u32 groups) {
    if (swizzle == 0) return (byte / 16 * groups + row / 8) * 128 + row % 8 * 16 + byte % 16;
    return chunk_place(row, byte / 16, swizzle) + byte % 16;
}

// Byte offset of a 16-bit element with columns contiguous: panels of swizzle/2 columns.
inline u32 mn_major_place(u32 k, u32 column, u32 swizzle, u32 panel_bytes) {
    const u32 byte = column * 2 % swizzle;
    return column * 2 / swizzle * panel_bytes + chunk_place(k, byte / 16, swizzle) + byte % 16;
}

inline u64 descriptor(u32 address, u32 leading, u32 stride, u32 swizzle) {
    const u64 mode = swizzle == 128 ? 1 : swizzle == 64 ? 2 : swizzle == 32 ? 3 : 0;
    return u64{address} >> 4 | u64{leading >> 4} << 16 | u64{stride >> 4} << 32 | mode << 62;
}

inline u16 random_element(u32 kind, bool any_bits, std::mt19937& random) {
    if (any_bits || kind == 0) return static_cast<u16>(random());
    const double value = std::normal_distribution<double>()(random);
    if (kind == 1) return fp16_from_double(value);
    if (kind == 2) return bf16_from_double(value);
    return static_cast<u16>(random() & 0xbfbf);  // e4m3 below 2 in magnitude, no NaN
}

inline double element_value(u32 kind, u16 bits) {
    switch (kind) {
        case 0:
            return static_cast<i8>(bits);
        case 1:
            return fp16_to_float(bits);
        case 2:
            return bf16_to_float(bits);
        default: {
            const int exponent = bits >> 3 & 15, mantissa = bits & 7;
            const double magnitude =
                exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
            return (bits & 0x80) != 0 ? -magnitude : magnitude;
        }
    }
}

inline void pack(u8* image, u16 bits, u32 bytes) { std::memcpy(image, &bits, bytes); }

inline std::unique_ptr<WgmmaJob> make_job(const WgmmaCase& each, u32 seed) {
    std::mt19937 random(seed);
    auto job = std::make_unique<WgmmaJob>();
    const u32 depth = each.depth(), bytes = each.element_bytes(), n = each.n;
    const auto draw = [&](std::vector<u16>& elements, u32 count) {
        elements.resize(count);
        for (u16& element : elements) {
            element = random_element(each.kind, false, random);
            if (bytes == 1) element &= 0xff;
        }
    };
    draw(job->a_elements, 64 * depth);
    draw(job->b_elements, n * depth);
    for (auto& row : job->d) {
        for (u32& value : row) {
            value = each.kind == 0
                        ? random()
                        : std::bit_cast<u32>(static_cast<f32>(random() % 4096) / 128 - 9);
        }
    }
    for (u32 i = 0; i < 64 * depth; ++i) {
        const u32 row = i / depth, byte = i % depth * bytes;
        pack(job->image + k_major_place(row, byte, each.swizzle, 8), job->a_elements[i], bytes);
        // The fragment of A: lane 4g + q holds rows g and g + 8, bytes 4q.. and 16 + 4q..
        const u32 step = byte / 32, in_step = byte % 32;
        const u32 lane = row % 8 * 4 + in_step % 16 / 4, word = in_step / 16 * 2 + row % 16 / 8;
        u32& target = job->a[step][row / 16 * 32 + lane][word];
        pack(reinterpret_cast<u8*>(&target) + in_step % 4, job->a_elements[i], bytes);
    }
    const u32 b_base = 32768;  // behind A, and a multiple of 1024
    const u32 panel_bytes = depth * each.swizzle + 1024;
    for (u32 i = 0; i < n * depth; ++i) {
        const u32 column = i / depth, k = i % depth;
        const u32 place = each.mn_major ? mn_major_place(k, column, each.swizzle, panel_bytes)
                                        : k_major_place(column, k * bytes, each.swizzle, n / 8);
        pack(job->image + b_base + place, job->b_elements[i], bytes);
    }
    job->kind = each.kind;
    job->n = n;
    job->accumulate = each.accumulate;
    job->mn_major = each.mn_major;
    job->registers = each.registers;
    job->steps = each.steps();
    job->image_bytes = sizeof job->image;
    const u32 atom = each.swizzle == 0 ? 128 : 8 * each.swizzle;
    job->a_descriptor = descriptor(0, each.swizzle == 0 ? 8 * 128 : 16, atom, each.swizzle);
    job->a_step = each.swizzle == 0 ? 2 * 8 * 128 / 16 : 2;
    if (each.mn_major) {
        job->b_descriptor = descriptor(b_base, panel_bytes, atom, each.swizzle);
        job->b_step = 16 * each.swizzle / 16;
    } else {
        const u32 leading = each.swizzle == 0 ? n / 8 * 128 : 16;
        job->b_descriptor = descriptor(b_base, leading, atom, each.swizzle);
        job->b_step = each.swizzle == 0 ? 2 * leading / 16 : 2;
    }
    return job;
}

// The bits of D: each step's products summed exactly enough (in double, in order), rounded once.
inline std::vector<u32> expected_product(const WgmmaCase& each, const WgmmaJob& job) {
    const u32 depth = each.depth(), step_depth = depth / each.steps();
    std::vector<u32> d(size_t{64} * each.n);
    for (u32 row = 0; row < 64; ++row) {
        for (u32 column = 0; column < each.n; ++column) {
            u32 bits = each.accumulate ? job.d[row][column] : 0;
            for (u32 first = 0; first < depth; first += step_depth) {
                double sum = 0;
                for (u32 k = first; k < first + step_depth; ++k) {
                    sum += element_value(each.kind, job.a_elements[row * depth + k]) *
                           element_value(each.kind, job.b_elements[column * depth + k]);
                }
                if (each.kind == 0) {
                    bits += static_cast<u32>(static_cast<i32>(sum));
                } else {
                    bits = std::bit_cast<u32>(static_cast<f32>(sum + std::bit_cast<f32>(bits)));
                }
            }
            d[size_t{row} * each.n + column] = bits;
        }
    }
    return d;
}

}  // namespace sagejit::test
