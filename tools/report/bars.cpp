#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "report/frame.h"

namespace sagejit::report {

Figure draw(const BarChart& chart) {
    std::vector<double> values;
    for (const BarChart::Series& series : chart.series) {
        values.insert(values.end(), series.values.begin(), series.values.end());
    }
    if (chart.limit) values.push_back(*chart.limit);
    if (!chart.logarithmic) values.push_back(0);
    const Frame frame;
    Scale scale = fit_scale(values, chart.logarithmic, frame.bottom, frame.top);
    if (!chart.logarithmic && scale.low < 0 &&
        std::none_of(values.begin(), values.end(), [](double value) { return value < 0; })) {
        scale.low = 0;
    }
    Svg svg(kChartWidth, frame.bottom + 38,
            fmt::format("Bars of {} for {} groups", chart.value_label, chart.groups.size()));
    draw_y_axis(svg, frame, scale, chart.value_label);

    const double group_width =
        (frame.right - frame.left) / static_cast<double>(std::max<size_t>(chart.groups.size(), 1));
    const double bars = static_cast<double>(std::max<size_t>(chart.series.size(), 1));
    const double bar = std::min(0.84 * group_width / bars, 48.0);
    const double base = chart.logarithmic ? frame.bottom : scale.at(0);
    for (size_t group = 0; group < chart.groups.size(); ++group) {
        const double middle = frame.left + group_width * (static_cast<double>(group) + 0.5);
        draw_group_label(svg, frame, middle, group_width - 4, chart.groups[group]);
        for (size_t i = 0; i < chart.series.size(); ++i) {
            const double value = chart.series[i].values[group];
            if (!std::isfinite(value) || (chart.logarithmic && value <= 0)) continue;
            const double x = middle + bar * (static_cast<double>(i) - bars / 2);
            const double y = scale.at(value);
            svg.rect(x + 0.5, std::min(y, base), bar - 1, std::abs(base - y),
                     series_fill(static_cast<int>(i)),
                     fmt::format("{}, {}: {}", chart.groups[group], chart.series[i].name,
                                 short_number(value)));
        }
    }
    svg.line(frame.left, base, frame.right, base, "axis");
    if (chart.limit) draw_limit(svg, frame, scale, *chart.limit, chart.limit_label);

    Figure figure{svg.str(), {}};
    for (size_t i = 0; i < chart.series.size(); ++i) {
        figure.legend.push_back({chart.series[i].name, static_cast<int>(i)});
    }
    return figure;
}

}  // namespace sagejit::report
