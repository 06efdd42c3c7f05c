#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "report/frame.h"

namespace sagejit::report {
namespace {

constexpr double kCellHeight = 30;
constexpr double kWidestCell = 110;
constexpr double kFaintest = 0.08, kDeepest = 0.92;  // opacity
constexpr double kDeep = 0.55;                       // text on deeper cells is of the other colour

}  // namespace

Figure draw(const Heatmap& chart) {
    double low = 0, high = 0;
    const double* best = nullptr;
    for (const std::optional<double>& value : chart.values) {
        if (!value || !std::isfinite(*value)) continue;
        low = best == nullptr ? *value : std::min(low, *value);
        high = best == nullptr ? *value : std::max(high, *value);
        if (best == nullptr || (chart.smaller_is_better ? *value < *best : *value > *best)) {
            best = &*value;
        }
    }
    if (chart.chosen && *chart.chosen < chart.values.size() && chart.values[*chart.chosen]) {
        best = &*chart.values[*chart.chosen];
    }
    size_t widest = text_width(chart.y_label) + 2;
    for (const std::string& row : chart.rows) widest = std::max(widest, text_width(row));
    const double left = 24 + kCharWidth * static_cast<double>(widest), top = 44;
    const double columns = static_cast<double>(std::max<size_t>(chart.columns.size(), 1));
    const double cell = std::min(kWidestCell, (kChartWidth - left - 16) / columns);
    const double height = top + kCellHeight * static_cast<double>(chart.rows.size()) + 8;
    Svg svg(
        std::max(left + cell * columns + 16, 360.0), height,
        fmt::format("Heatmap of {} by {} and {}", chart.value_label, chart.y_label, chart.x_label));
    svg.text(left, 14, fmt::format("{} →", chart.x_label), "label");
    svg.text(left - 8, 14, fmt::format("{} ↓", chart.y_label), "label", Anchor::kEnd);
    for (size_t column = 0; column < chart.columns.size(); ++column) {
        svg.text(left + cell * (static_cast<double>(column) + 0.5), top - 8, chart.columns[column],
                 "label", Anchor::kMiddle);
    }
    for (size_t row = 0; row < chart.rows.size(); ++row) {
        const double y = top + kCellHeight * static_cast<double>(row);
        svg.text(left - 8, y + kCellHeight / 2 + 4, chart.rows[row], "label", Anchor::kEnd);
        for (size_t column = 0; column < chart.columns.size(); ++column) {
            const double x = left + cell * static_cast<double>(column);
            const std::optional<double>& value = chart.values[row * chart.columns.size() + column];
            const std::string where = fmt::format("{} {}, {} {}", chart.y_label, chart.rows[row],
                                                  chart.x_label, chart.columns[column]);
            if (!value || !std::isfinite(*value)) {
                svg.rect(x + 1, y + 1, cell - 2, kCellHeight - 2, "none", where + ": none");
                svg.text(x + cell / 2, y + kCellHeight / 2 + 4, "–", "label", Anchor::kMiddle);
                continue;
            }
            const double share = high > low ? (*value - low) / (high - low) : 0.5;
            const double opacity = kFaintest + (kDeepest - kFaintest) * share;
            const bool is_best = &*value == best;
            svg.rect(x + 1, y + 1, cell - 2, kCellHeight - 2, is_best ? "heat best" : "heat",
                     fmt::format("{}: {} {}", where, short_number(*value), chart.value_label),
                     opacity);
            svg.text(x + cell / 2, y + kCellHeight / 2 + 4, short_number(*value),
                     opacity > kDeep ? "label on-heat" : "label strong", Anchor::kMiddle);
        }
    }
    return {svg.str(), {}};
}

}  // namespace sagejit::report
