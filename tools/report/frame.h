// What charts with two axes share.
#pragma once

#include <string>
#include <string_view>

#include "report/scale.h"
#include "report/svg.h"

namespace sagejit::report {

inline constexpr double kChartWidth = 960;
inline constexpr double kCharWidth = 6.4;  // of the labels' font, about

// The rectangle inside the axes.
struct Frame {
    double left = 70, top = 16, right = kChartWidth - 16, bottom = 320;
};

// Grid lines, ticks and labels of one axis.
void draw_y_axis(Svg& svg, const Frame& frame, const Scale& scale, std::string_view label);
void draw_x_axis(Svg& svg, const Frame& frame, const Scale& scale, std::string_view label);
// The name of what stands at x, below the axis; on two lines if it is wider than `width`.
void draw_group_label(Svg& svg, const Frame& frame, double x, double width,
                      const std::string& label);
// A dashed line across at a value, if it is inside the axis.
void draw_limit(Svg& svg, const Frame& frame, const Scale& scale, double value,
                std::string_view label);

}  // namespace sagejit::report
