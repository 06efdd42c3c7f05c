#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "report/charts.h"
#include "report/frame.h"

namespace sagejit::report {
namespace {

constexpr double kRadius = 5;

bool drawable(const ScatterChart& chart, const ScatterChart::Point& point) {
    return std::isfinite(point.x) && std::isfinite(point.y) &&
           !(chart.logarithmic_x && point.x <= 0) && !(chart.logarithmic_y && point.y <= 0);
}

// Labels beside points, none over another or over a point: the first ones win.
class Labels {
  public:
    Labels(Svg& svg, const Frame& frame) : svg_(svg), frame_(frame) {}

    // Above or below, to the right or, where that is taken or the picture ends, to the left. Where
    // nothing is free there is no label, unless it has to be.
    void add(double x, double y, const std::string& text, bool always = false) {
        const std::string label = shortened(text, 40);
        const double width = kCharWidth * static_cast<double>(text_width(label));
        const bool fits = x + 10 + width < frame_.right;
        for (const bool right : {fits, !fits}) {
            for (const double baseline : {y - 7, y + 17}) {
                const Box box{right ? x + 9 : x - 9 - width, baseline - 12, width, 16};
                if (is_free(box)) return place(box, right, baseline, label);
            }
        }
        const Box box{fits ? x + 9 : x - 9 - width, y - 19, width, 16};
        if (always) place(box, fits, y - 7, label);
    }
    // Keeps labels off a place.
    void keep_free(double x, double y, double width, double height) {
        placed_.push_back({x, y, width, height});
    }

  private:
    struct Box {
        double x, y, width, height;
    };

    bool is_free(const Box& box) const {
        if (box.x < frame_.left || box.x + box.width > frame_.right) return false;
        if (box.y < frame_.top || box.y + box.height > frame_.bottom) return false;
        return std::none_of(placed_.begin(), placed_.end(), [&box](const Box& other) {
            return box.x < other.x + other.width && other.x < box.x + box.width &&
                   box.y < other.y + other.height && other.y < box.y + box.height;
        });
    }
    void place(const Box& box, bool right, double baseline, const std::string& label) {
        placed_.push_back(box);
        svg_.text(right ? box.x : box.x + box.width, baseline, label, "label strong halo",
                  right ? Anchor::kStart : Anchor::kEnd);
    }

    Svg& svg_;
    const Frame& frame_;
    std::vector<Box> placed_;
};

}  // namespace

std::vector<size_t> pareto_front(const std::vector<ScatterChart::Point>& points) {
    std::vector<size_t> order(points.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::erase_if(order, [&](size_t i) {
        return !std::isfinite(points[i].x) || !std::isfinite(points[i].y);
    });
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return points[a].x != points[b].x ? points[a].x < points[b].x : points[a].y < points[b].y;
    });
    std::vector<size_t> front;
    for (const size_t i : order) {
        if (front.empty() || points[i].y < points[front.back()].y) front.push_back(i);
    }
    return front;
}

Figure draw(const ScatterChart& chart) {
    std::vector<double> xs, ys;
    std::vector<ScatterChart::Point> points;
    for (const ScatterChart::Point& point : chart.points) {
        if (!drawable(chart, point)) continue;
        points.push_back(point);
        xs.push_back(point.x);
        ys.push_back(point.y);
    }
    if (chart.y_limit) ys.push_back(*chart.y_limit);
    const Frame frame;
    const Scale x = fit_scale(xs, chart.logarithmic_x, frame.left, frame.right);
    const Scale y = fit_scale(ys, chart.logarithmic_y, frame.bottom, frame.top);
    Svg svg(kChartWidth, frame.bottom + 44,
            fmt::format("{} points: {} over {}", points.size(), chart.y_label, chart.x_label));
    draw_x_axis(svg, frame, x, chart.x_label);
    draw_y_axis(svg, frame, y, chart.y_label);
    if (chart.y_limit) draw_limit(svg, frame, y, *chart.y_limit, chart.y_limit_label);

    std::vector<bool> labelled(points.size(), false);
    if (chart.front) {
        std::string line;
        for (const size_t i : pareto_front(points)) {
            line += fmt::format("{:.2f},{:.2f} ", x.at(points[i].x), y.at(points[i].y));
            labelled[i] = true;
        }
        svg.polyline(line, "front");
    }
    Labels labels(svg, frame);
    if (chart.y_limit) {
        const double width = kCharWidth * static_cast<double>(text_width(chart.y_limit_label) + 2);
        labels.keep_free(frame.right - width, y.at(*chart.y_limit) - 18, width, 18);
    }
    for (const ScatterChart::Point& point : points) {
        const double radius = point.marked ? kRadius + 3 : kRadius;
        svg.circle(x.at(point.x), y.at(point.y), radius,
                   series_fill(point.series) + (point.marked ? " marked" : ""),
                   fmt::format("{}: {} {}, {} {}", point.label, short_number(point.x),
                               chart.x_label, short_number(point.y), chart.y_label));
        labels.keep_free(x.at(point.x) - radius, y.at(point.y) - radius, 2 * radius, 2 * radius);
    }
    for (const ScatterChart::Point& point : points) {
        if (point.marked) labels.add(x.at(point.x), y.at(point.y), point.label, /*always=*/true);
    }
    for (size_t i = 0; i < points.size(); ++i) {
        if (!labelled[i] || points[i].marked) continue;
        labels.add(x.at(points[i].x), y.at(points[i].y), points[i].label);
    }
    Figure figure{svg.str(), {}};
    for (size_t i = 0; i < chart.series.size(); ++i) {
        figure.legend.push_back({chart.series[i], static_cast<int>(i)});
    }
    return figure;
}

}  // namespace sagejit::report
