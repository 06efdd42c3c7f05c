#include "host/fragments.h"

#include <bit>
#include <cmath>

#include "tensor/half.h"

namespace sagejit::host {
namespace {

// The two int8 of an element.
template <typename Byte>
i32 first(u16 element) {
    return static_cast<Byte>(element & 0xff);
}
template <typename Byte>
i32 second(u16 element) {
    return static_cast<Byte>(element >> 8);
}

template <typename ByteA>
void multiply_bytes(Operands& x) {
    for (int m = 0; m < 16; ++m) {
        for (int n = 0; n < 8; ++n) {
            i32 sum = 0;
            for (int k = 0; k < 16; ++k) {
                sum += first<ByteA>(x.a[m][k]) * first<i8>(x.b[k][n]) +
                       second<ByteA>(x.a[m][k]) * second<i8>(x.b[k][n]);
            }
            x.c[m][n] += static_cast<u32>(sum);
        }
    }
}

void store(u32& c, double sum, f32) {
    c = std::bit_cast<u32>(static_cast<f32>(sum + static_cast<double>(std::bit_cast<f32>(c))));
}
void store(u32& c, double sum, u16) {
    const double total = sum + static_cast<double>(fp16_to_float(static_cast<u16>(c)));
    c = std::isnan(total) ? 0x7fff : fp16_from_double(total);
}

template <typename Accumulator>
void multiply_halves(Operands& x) {
    for (int m = 0; m < 16; ++m) {
        for (int n = 0; n < 8; ++n) {
            double sum = 0;
            for (int k = 0; k < 16; ++k) {
                sum += static_cast<double>(fp16_to_float(x.a[m][k])) *
                       static_cast<double>(fp16_to_float(x.b[k][n]));
            }
            store(x.c[m][n], sum, Accumulator());
        }
    }
}

const Multipliers& multipliers() {
    static const Multipliers& best =
        avx2_multipliers() != nullptr ? *avx2_multipliers() : plain_multipliers;
    return best;
}

}  // namespace

const Multipliers plain_multipliers = {multiply_bytes<i8>, multiply_bytes<u8>, multiply_halves<f32>,
                                       multiply_halves<u16>};

void multiply_s8(Operands& operands) { multipliers().s8(operands); }
void multiply_u8s8(Operands& operands) { multipliers().u8s8(operands); }
void multiply_f16_f32(Operands& operands) { multipliers().f16_f32(operands); }
void multiply_f16_f16(Operands& operands) { multipliers().f16_f16(operands); }

}  // namespace sagejit::host
