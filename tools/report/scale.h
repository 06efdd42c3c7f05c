// Axes: from values to pixels, and where to put ticks.
#pragma once

#include <string>
#include <vector>

namespace sagejit::report {

// A linear or logarithmic axis. pixel_low is where `low` is drawn.
struct Scale {
    double low = 0, high = 1;
    double pixel_low = 0, pixel_high = 1;
    bool logarithmic = false;

    double at(double value) const;
    // Round values inside, lowest first: on a logarithmic axis powers of ten, and where these are
    // few twice and five times them, or as on a linear one.
    std::vector<double> ticks() const;
};

// An axis that holds all finite values (on a logarithmic one, all positive ones) and some room.
// Without any it runs from 0 to 1, or 1 to 10.
Scale fit_scale(const std::vector<double>& values, bool logarithmic, double pixel_low,
                double pixel_high);

// Three significant digits, without trailing zeros: "0.0125", "1.5", "2050", "1.2e-07".
std::string short_number(double value);

}  // namespace sagejit::report
