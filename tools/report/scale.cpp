#include "report/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sagejit::report {
namespace {

constexpr double kRoom = 0.06;  // of the axis, beyond the outermost values
constexpr int kTicks = 6;       // about so many

std::vector<double> linear_ticks(double low, double high) {
    const double raw = (high - low) / kTicks;
    const double power = std::pow(10.0, std::floor(std::log10(raw)));
    double step = 10 * power;
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= raw) {
            step = factor * power;
            break;
        }
    }
    std::vector<double> ticks;
    const double first = std::ceil(low / step - 1e-9);
    for (double i = first; i * step <= high + 1e-9 * step; ++i)
        ticks.push_back(i * step + 0.0);  // no -0
    return ticks;
}

std::vector<double> logarithmic_ticks(double low, double high) {
    std::vector<double> ticks;
    const bool dense = std::log10(high / low) < 3;
    for (int power = static_cast<int>(std::floor(std::log10(low))); power <= std::log10(high);
         ++power) {
        for (const double factor : {1.0, 2.0, 5.0}) {
            const double value = factor * std::pow(10.0, power);
            if (factor > 1 && !dense) continue;
            if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) ticks.push_back(value);
        }
    }
    return ticks;
}

}  // namespace

double Scale::at(double value) const {
    const auto position = [this](double x) { return logarithmic ? std::log(x) : x; };
    const double share = (position(value) - position(low)) / (position(high) - position(low));
    return pixel_low + share * (pixel_high - pixel_low);
}

std::vector<double> Scale::ticks() const {
    if (!logarithmic) return linear_ticks(low, high);
    const std::vector<double> powers = logarithmic_ticks(low, high);
    return powers.size() < 3 ? linear_ticks(low, high) : powers;
}

Scale fit_scale(const std::vector<double>& values, bool logarithmic, double pixel_low,
                double pixel_high) {
    Scale scale{logarithmic ? 1.0 : 0.0, logarithmic ? 10.0 : 1.0, pixel_low, pixel_high,
                logarithmic};
    std::vector<double> usable;
    std::copy_if(values.begin(), values.end(), std::back_inserter(usable),
                 [&](double value) { return std::isfinite(value) && (!logarithmic || value > 0); });
    if (usable.empty()) return scale;
    const auto [low, high] = std::minmax_element(usable.begin(), usable.end());
    if (logarithmic) {
        const double room = std::max(std::pow(*high / *low, kRoom), 1.15);
        scale.low = *low / room;
        scale.high = *high * room;
    } else {
        const double span = *high - *low;
        const double room = kRoom * (span > 0 ? span : std::max(std::abs(*high), 1.0));
        scale.low = *low - room;
        scale.high = *high + room;
    }
    return scale;
}

std::string short_number(double value) {
    // Thousands read better without an exponent.
    constexpr double kThousand = 1e3, kMillion = 1e6;
    const double size = std::abs(value);
    if (size < kThousand || size >= kMillion) return fmt::format("{:.3g}", value);
    const double unit = std::pow(10.0, std::floor(std::log10(size)) - 2);
    return fmt::format("{:.0f}", std::round(value / unit) * unit);
}

}  // namespace sagejit::report
