#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "report/frame.h"

namespace sagejit::report {
namespace {

constexpr double kTera = 1e12;
constexpr double kPeta = 1e3;  // in tera

std::string rate_text(double tera) {
    return tera >= kPeta ? fmt::format("{:.3g} P/s", tera / kPeta)
                         : fmt::format("{:.3g} T/s", tera);
}

}  // namespace

Figure draw(const Roofline& chart) {
    // Everything in tera-operations per second.
    double highest = 0;
    for (const Roofline::Ceiling& ceiling : chart.ceilings) {
        highest = std::max(highest, ceiling.operations_per_second / kTera);
    }
    std::vector<double> xs, ys = {highest};
    for (const Roofline::Point& point : chart.points) {
        xs.push_back(point.intensity);
        ys.push_back(point.operations_per_second / kTera);
    }
    for (const Roofline::Ceiling& ceiling : chart.ceilings) {
        ys.push_back(ceiling.operations_per_second / kTera);
    }
    const double bandwidth = chart.bytes_per_second / kTera;
    if (bandwidth > 0) {
        // From well below the ridge, so that the slanted roof is seen.
        xs.push_back(highest / bandwidth / 20);
        xs.push_back(highest / bandwidth * 4);
    }
    constexpr double kMargin = 190;  // for the names of the ceilings
    const Frame frame{.right = kChartWidth - kMargin};
    const Scale x = fit_scale(xs, true, frame.left, frame.right);
    Scale y = fit_scale(ys, true, frame.bottom, frame.top);
    y.high *= 1.6;  // room above the ceilings
    y.low /= 4;     // and for the slanted roof
    Svg svg(kChartWidth, frame.bottom + 44, "Roofline: operations per second over intensity");
    draw_x_axis(svg, frame, x, "operations per byte of device memory");
    draw_y_axis(svg, frame, y, "tera-operations per second");
    if (bandwidth > 0) {
        const double from = std::max(x.low, y.low / bandwidth);
        const double to = std::min(x.high, highest / bandwidth);
        if (from < to) {
            svg.line(x.at(from), y.at(from * bandwidth), x.at(to), y.at(to * bandwidth), "roof");
            const std::string label = fmt::format("memory {:.3g} TB/s", bandwidth);
            // Beside the middle of the slope.
            const double middle = std::sqrt(from * to);
            svg.text(x.at(middle) - 10, y.at(middle * bandwidth) - 6, label, "label strong halo",
                     Anchor::kEnd);
        }
    }
    // Names beside the ends of the ceilings, the highest first, moved apart where these are close.
    std::vector<Roofline::Ceiling> ceilings = chart.ceilings;
    std::stable_sort(ceilings.begin(), ceilings.end(), [](const auto& a, const auto& b) {
        return a.operations_per_second > b.operations_per_second;
    });
    double last_label = -1e9;
    for (const Roofline::Ceiling& ceiling : ceilings) {
        const double tera = ceiling.operations_per_second / kTera;
        if (!(tera > 0)) continue;
        const double start = bandwidth > 0 ? std::clamp(tera / bandwidth, x.low, x.high) : x.low;
        svg.line(x.at(start), y.at(tera), frame.right, y.at(tera), "roof");
        const double label_y = std::max(y.at(tera) + 4, last_label + 15);
        svg.line(frame.right, y.at(tera), frame.right + 18, label_y - 4, "axis");
        svg.text(frame.right + 22, label_y, fmt::format("{} {}", ceiling.label, rate_text(tera)),
                 "label strong");
        last_label = label_y;
    }
    for (size_t i = 0; i < chart.points.size(); ++i) {
        const Roofline::Point& point = chart.points[i];
        const double tera = point.operations_per_second / kTera;
        if (!(tera > 0) || !(point.intensity > 0)) continue;
        const double px = x.at(point.intensity), py = y.at(tera);
        const std::string title =
            fmt::format("{}: {} at {} operations per byte, {}", point.label, rate_text(tera),
                        short_number(point.intensity), point.measured ? "measured" : "estimated");
        const int series = static_cast<int>(i);
        svg.circle(px, py, 6,
                   point.measured ? series_fill(series) : "hollow " + series_stroke(series), title);
        const std::string label = shortened(point.label, 40);
        const double half = kCharWidth * static_cast<double>(text_width(label)) / 2;
        svg.text(std::clamp(px, frame.left + half, std::max(frame.left + half, frame.right - half)),
                 py + 20, label, "label halo", Anchor::kMiddle);
    }
    return {svg.str(), {}};
}

}  // namespace sagejit::report
