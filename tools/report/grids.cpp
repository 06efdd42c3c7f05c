// The map of memory and grids of small cells.
#include <fmt/format.h>

#include <algorithm>

#include "report/charts.h"
#include "report/frame.h"

namespace sagejit::report {
namespace {

constexpr double kBarTop = 26, kBarHeight = 56;
constexpr double kCellHeight = 24, kWidestCell = 64, kNarrowestCell = 26;

std::string bytes_text(double bytes) { return fmt::format("{:.0f}", bytes); }

}  // namespace

Figure draw(const MemoryMap& chart) {
    const double left = 8, right = kChartWidth - 8;
    double end = chart.limit_bytes;
    for (const MemoryMap::Block& block : chart.blocks)
        end = std::max(end, block.offset + block.bytes);
    const double scale = end > 0 ? (right - left) / end : 0;
    Svg svg(kChartWidth, kBarTop + kBarHeight + 30, "Map of shared memory");
    svg.rect(left, kBarTop, chart.limit_bytes * scale, kBarHeight, "empty",
             fmt::format("{}: {} bytes", chart.limit_label, bytes_text(chart.limit_bytes)));
    double last_offset = -1e9;
    const double used = chart.used_bytes;
    for (const MemoryMap::Block& block : chart.blocks) {
        const double x = left + block.offset * scale, width = block.bytes * scale;
        svg.rect(x, kBarTop, width, kBarHeight, series_fill(block.series) + " block",
                 fmt::format("{}: {} bytes at {}", block.label, bytes_text(block.bytes),
                             bytes_text(block.offset)));
        if (kCharWidth * static_cast<double>(text_width(block.label)) < width - 4) {
            svg.text(x + width / 2, kBarTop + kBarHeight / 2 + 4, block.label, "label on-colour",
                     Anchor::kMiddle);
        }
        if (x - last_offset > 44) {
            svg.text(x, kBarTop - 8, bytes_text(block.offset), "label");
            last_offset = x;
        }
    }
    svg.text(left + used * scale, kBarTop + kBarHeight + 18,
             fmt::format("{} used", bytes_text(used)), "label strong",
             used * scale > 100 ? Anchor::kEnd : Anchor::kStart);
    // Not over the text before it.
    if ((chart.limit_bytes - used) * scale > 200) {
        svg.text(left + chart.limit_bytes * scale, kBarTop + kBarHeight + 18,
                 fmt::format("{} {}", bytes_text(chart.limit_bytes), chart.limit_label), "label",
                 Anchor::kEnd);
    }
    return {svg.str(), {}};
}

Figure draw(const CellGrid& chart) {
    const double columns = static_cast<double>(std::max<size_t>(chart.columns.size(), 1));
    size_t widest = 1;
    for (const std::string& row : chart.rows) widest = std::max(widest, text_width(row));
    const double left =
        16 + kCharWidth * static_cast<double>(std::max(widest, text_width(chart.row_label) + 2));
    const double top = 44;
    size_t longest = 1;
    for (const CellGrid::Cell& cell : chart.cells)
        longest = std::max(longest, text_width(cell.text));
    const double wanted = std::max(kNarrowestCell, 10 + kCharWidth * static_cast<double>(longest));
    const double width = std::min({kWidestCell, wanted, (kChartWidth - left - 8) / columns});
    const double label_width = kCharWidth * static_cast<double>(text_width(chart.column_label) + 3);
    Svg svg(left + std::max(width * columns, label_width) + 8,
            top + kCellHeight * static_cast<double>(chart.rows.size()) + 8, chart.description);
    svg.text(left, 14, fmt::format("{} →", chart.column_label), "label");
    svg.text(left - 8, 14, fmt::format("{} ↓", chart.row_label), "label", Anchor::kEnd);
    for (size_t column = 0; column < chart.columns.size(); ++column) {
        svg.text(left + width * (static_cast<double>(column) + 0.5), top - 8, chart.columns[column],
                 "label", Anchor::kMiddle);
    }
    for (size_t row = 0; row < chart.rows.size(); ++row) {
        const double y = top + kCellHeight * static_cast<double>(row);
        svg.text(left - 8, y + kCellHeight / 2 + 4, chart.rows[row], "label", Anchor::kEnd);
        for (size_t column = 0; column < chart.columns.size(); ++column) {
            const CellGrid::Cell& cell = chart.cells[row * chart.columns.size() + column];
            const double x = left + width * static_cast<double>(column);
            svg.rect(x + 0.5, y + 0.5, width - 1, kCellHeight - 1,
                     series_fill(cell.series) + (cell.marked ? " cell marked" : " cell"),
                     cell.title);
            svg.text(x + width / 2, y + kCellHeight / 2 + 4, cell.text, "label on-colour",
                     Anchor::kMiddle);
        }
    }
    return {svg.str(), chart.legend};
}

}  // namespace sagejit::report
