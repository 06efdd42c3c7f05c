#include "report/charts.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <regex>

#include "report/scale.h"

namespace sagejit::report {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Values of an attribute of every element of one kind.
std::vector<double> attributes(const std::string& svg, const std::string& element,
                               const std::string& attribute) {
    const std::regex pattern("<" + element + "[^>]* " + attribute + "=\"([^\"]*)\"");
    std::vector<double> values;
    for (std::sregex_iterator it(svg.begin(), svg.end(), pattern), end; it != end; ++it) {
        values.push_back(std::stod((*it)[1]));
    }
    return values;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("scale: linear and logarithmic") {
    const Scale linear{0, 10, 100, 200, false};
    CHECK(linear.at(0) == 100);
    CHECK(linear.at(5) == 150);
    CHECK(linear.ticks() == std::vector<double>{0, 2, 4, 6, 8, 10});
    const Scale downwards{0, 10, 200, 100, false};
    CHECK(downwards.at(10) == 100);
    const Scale logarithmic{1, 100, 0, 200, true};
    CHECK(logarithmic.at(10) == Approx(100));
    CHECK(logarithmic.ticks() == std::vector<double>{1, 2, 5, 10, 20, 50, 100});
    CHECK((Scale{1, 1e5, 0, 1, true}).ticks().size() == 6);  // powers of ten only
}

TEST_CASE("scale: holds what is given, whatever that is") {
    for (const bool logarithmic : {false, true}) {
        for (const std::vector<double>& values :
             {std::vector<double>{}, {3}, {1, 2}, {kNan, kInfinity}, {0, 5}, {1e-9, 1e9}}) {
            const Scale scale = fit_scale(values, logarithmic, 0, 100);
            CHECK(scale.low < scale.high);
            CHECK(!scale.ticks().empty());
            for (const double value : values) {
                if (!std::isfinite(value) || (logarithmic && value <= 0)) continue;
                CHECK(scale.low <= value);
                CHECK(value <= scale.high);
            }
        }
    }
}

TEST_CASE("scale: short numbers") {
    CHECK(short_number(0.01254) == "0.0125");
    CHECK(short_number(2000) == "2000");
    CHECK(short_number(2047) == "2050");
    CHECK(short_number(-12345) == "-12300");
    CHECK(short_number(1.5e7) == "1.5e+07");
    CHECK(short_number(0) == "0");
}

TEST_CASE("heatmap: deeper is larger, the best is framed, holes stay holes") {
    Heatmap chart{"tile_k", "tile_q", "ms", {"32", "64"}, {"64", "128"}, {4.0, 2.0, {}, kNan}};
    const std::string svg = draw(chart).svg;
    const std::vector<double> opacity = attributes(svg, "rect", "fill-opacity");
    REQUIRE(opacity.size() == 2);
    CHECK(opacity[0] > opacity[1]);
    CHECK(contains(svg, "class=\"heat best\" fill-opacity=\"0.080\"><title>tile_q 64, tile_k 64"));
    CHECK(contains(svg, "tile_q 128, tile_k 32: none"));
    chart.smaller_is_better = false;
    CHECK(contains(draw(chart).svg, "best\" fill-opacity=\"0.920\""));
    chart.chosen = 1;
    CHECK(contains(draw(chart).svg, "best\" fill-opacity=\"0.080\""));
    CHECK_NOTHROW(draw(Heatmap{}));
}

TEST_CASE("bars: heights follow values, a limit crosses") {
    BarChart chart;
    chart.value_label = "error";
    chart.groups = {"a", "b"};
    chart.series = {{"x", {1, 2}}, {"y", {4, kNan}}};
    chart.limit = 3;
    chart.limit_label = "limit";
    const Figure figure = draw(chart);
    const std::vector<double> heights = attributes(figure.svg, "rect", "height");
    REQUIRE(heights.size() == 3);  // none for NaN
    CHECK(heights[1] == Approx(4 * heights[0]).epsilon(0.01));
    CHECK(heights[2] == Approx(2 * heights[0]).epsilon(0.01));
    CHECK(contains(figure.svg, "class=\"limit\""));
    CHECK(figure.legend.size() == 2);
    chart.logarithmic = true;
    chart.series = {{"x", {1, 0}}, {"y", {10, 100}}};
    CHECK(attributes(draw(chart).svg, "rect", "height").size() == 3);  // none for 0
}

TEST_CASE("scatter: the front holds what nothing beats") {
    const std::vector<ScatterChart::Point> points = {
        {3, 1, "c", 0, false},     {1, 3, "a", 0, false},      {2, 2, "b", 0, false},
        {3, 3, "worse", 0, false}, {1, 4, "beaten", 0, false}, {0, kNan, "none", 0, false}};
    CHECK(pareto_front(points) == std::vector<size_t>{1, 2, 0});
    ScatterChart chart;
    chart.points = points;
    chart.series = {"s"};
    const Figure figure = draw(chart);
    CHECK(attributes(figure.svg, "circle", "cx").size() == 5);
    CHECK(contains(figure.svg, ">a</text>"));
    CHECK(!contains(figure.svg, ">worse</text>"));
    chart.points[3].marked = true;
    CHECK(contains(draw(chart).svg, ">worse</text>"));
}

TEST_CASE("roofline: points under ceilings") {
    Roofline chart;
    chart.bytes_per_second = 1e12;
    chart.ceilings = {{"int8", 4e14}, {"exponentials", 1e14}};
    chart.points = {{1000, 1e14, "estimate", false}, {1000, 5e13, "measured", true}};
    const std::string svg = draw(chart).svg;
    const std::vector<double> y = attributes(svg, "circle", "cy");
    REQUIRE(y.size() == 2);
    CHECK(y[0] < y[1]);  // faster is higher
    CHECK(contains(svg, "hollow"));
    CHECK(contains(svg, "int8 400 T/s"));
    CHECK(contains(svg, "memory 1 TB/s"));
}

TEST_CASE("memory map: blocks to scale") {
    MemoryMap map{{{"k", 0, 100, 0}, {"v", 100, 300, 1}}, 400, 800, "bytes"};
    const std::string svg = draw(map).svg;
    const std::vector<double> widths = attributes(svg, "rect", "width");
    REQUIRE(widths.size() == 3);
    CHECK(widths[2] == Approx(3 * widths[1]).epsilon(0.001));
    CHECK(widths[0] == Approx(8 * widths[1]).epsilon(0.001));
    CHECK(contains(svg, "400 used"));
}

TEST_CASE("cell grid: every cell once") {
    CellGrid grid;
    grid.columns = {"0", "1"};
    grid.rows = {"0"};
    grid.cells = {{"7", "lane 7", 2, true}, {"8", "lane 8", 3, false}};
    const std::string svg = draw(grid).svg;
    CHECK(attributes(svg, "rect", "x").size() == 2);
    CHECK(contains(svg, "class=\"fill2 cell marked\"><title>lane 7"));
}

}  // namespace sagejit::report
