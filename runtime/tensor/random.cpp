#include "tensor/random.h"

#include <cmath>
#include <numbers>

namespace sagejit {
namespace {

constexpr uint64_t kGolden = 0x9e37'79b9'7f4a'7c15;  // 2^64 / golden ratio

uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58'476d'1ce4'e5b9;
    value = (value ^ (value >> 27)) * 0x94d0'49bb'1331'11eb;
    return value ^ (value >> 31);
}

}  // namespace

RandomStream::RandomStream(uint64_t seed, uint64_t stream)
    : state_(mix(mix(seed + kGolden) ^ (stream + 1) * kGolden)) {}

uint64_t RandomStream::bits() {
    state_ += kGolden;
    return mix(state_);
}

double RandomStream::uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

double RandomStream::normal() {
    if (has_spare_) {
        has_spare_ = false;
        return spare_;
    }
    double x, y, square;
    do {
        x = 2 * uniform() - 1;
        y = 2 * uniform() - 1;
        square = x * x + y * y;
    } while (square >= 1 || square == 0);
    const double factor = std::sqrt(-2 * portable_log(square) / square);
    spare_ = y * factor;
    has_spare_ = true;
    return x * factor;
}

double portable_log(double value) {
    int exponent = 0;
    double fraction = std::frexp(value, &exponent);  // exact
    if (fraction < std::numbers::sqrt2 / 2) {
        fraction *= 2;
        --exponent;
    }
    // log f = 2 atanh t, |t| <= 0.172: the first term left out is below 2^-57 of the sum.
    constexpr int kLastPower = 21;
    const double t = (fraction - 1) / (fraction + 1);
    const double t2 = t * t;
    double sum = 0;
    for (int power = kLastPower; power >= 1; power -= 2) sum = sum * t2 + 1.0 / power;
    return 2 * t * sum + exponent * std::numbers::ln2;
}

}  // namespace sagejit
