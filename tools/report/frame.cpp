#include "report/frame.h"

#include <algorithm>

namespace sagejit::report {

void draw_y_axis(Svg& svg, const Frame& frame, const Scale& scale, std::string_view label) {
    for (const double tick : scale.ticks()) {
        const double y = scale.at(tick);
        svg.line(frame.left, y, frame.right, y, "grid");
        svg.text(frame.left - 6, y + 4, short_number(tick), "label", Anchor::kEnd);
    }
    svg.line(frame.left, frame.top, frame.left, frame.bottom, "axis");
    svg.vertical_text(14, (frame.top + frame.bottom) / 2, label, "label");
}

void draw_x_axis(Svg& svg, const Frame& frame, const Scale& scale, std::string_view label) {
    for (const double tick : scale.ticks()) {
        const double x = scale.at(tick);
        svg.line(x, frame.top, x, frame.bottom, "grid");
        const std::string text = short_number(tick);
        const double half = kCharWidth * static_cast<double>(text.size()) / 2;
        const double room = kChartWidth - 4 - half;  // that a label in the middle needs
        svg.text(std::min(x, room), frame.bottom + 16, text, "label", Anchor::kMiddle);
    }
    svg.line(frame.left, frame.bottom, frame.right, frame.bottom, "axis");
    svg.text((frame.left + frame.right) / 2, frame.bottom + 34, label, "label", Anchor::kMiddle);
}

void draw_group_label(Svg& svg, const Frame& frame, double x, double width,
                      const std::string& name) {
    const std::string label = shortened(name, 40);
    const size_t space = label.rfind(' ');
    const bool fits = kCharWidth * static_cast<double>(text_width(label)) <= width;
    if (fits || space == std::string::npos) {
        svg.text(x, frame.bottom + 16, label, "label", Anchor::kMiddle);
        return;
    }
    svg.text(x, frame.bottom + 16, label.substr(0, space), "label", Anchor::kMiddle);
    svg.text(x, frame.bottom + 31, label.substr(space + 1), "label", Anchor::kMiddle);
}

void draw_limit(Svg& svg, const Frame& frame, const Scale& scale, double value,
                std::string_view label) {
    if (!(value >= scale.low && value <= scale.high)) return;
    const double y = scale.at(value);
    svg.line(frame.left, y, frame.right, y, "limit");
    svg.text(frame.right - 4, y - 5, label, "label strong halo", Anchor::kEnd);
}

}  // namespace sagejit::report
