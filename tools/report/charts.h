// The pictures of the reports. Each is a description of what to show and one function that draws
// it; none knows of kernels, plans or files.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace sagejit::report {

// What stands below a picture to explain its colours.
struct LegendEntry {
    std::string text;
    int series = 0;
};

struct Figure {
    std::string svg;
    std::vector<LegendEntry> legend;
};

// A matrix of numbers, the deeper the colour the larger, one cell framed: `chosen`, else the best.
struct Heatmap {
    std::string x_label, y_label, value_label;
    std::vector<std::string> columns, rows;
    std::vector<std::optional<double>> values;  // [rows, columns]; none: not there, e.g. illegal
    bool smaller_is_better = true;
    std::optional<size_t> chosen = std::nullopt;  // index into values
};
Figure draw(const Heatmap& chart);

// Groups of bars, one bar a series. Values that are not finite (or not positive, on a logarithmic
// axis) have no bar.
struct BarChart {
    std::string value_label;
    std::vector<std::string> groups;
    struct Series {
        std::string name;
        std::vector<double> values;  // one a group
    };
    std::vector<Series> series;
    std::optional<double> limit;  // a line across
    std::string limit_label;
    bool logarithmic = false;
};
Figure draw(const BarChart& chart);

// Points, by default better towards the lower left.
struct ScatterChart {
    std::string x_label, y_label;
    struct Point {
        double x = 0, y = 0;
        std::string label;  // shown beside it where it is on the front or marked
        int series = 0;     // index into `series`
        bool marked = false;
    };
    std::vector<std::string> series;
    std::vector<Point> points;
    std::optional<double> y_limit;  // a line across
    std::string y_limit_label;
    bool logarithmic_x = false, logarithmic_y = false;
    // Draws the points that no other one beats in both, joined.
    bool front = true;
};
Figure draw(const ScatterChart& chart);

// The points that no other point beats in both coordinates (smaller is better), by rising x.
std::vector<size_t> pareto_front(const std::vector<ScatterChart::Point>& points);

// Operations per second over operations per byte, both logarithmic.
struct Roofline {
    double bytes_per_second = 0;  // of the memory, the slanted roof; 0: none
    struct Ceiling {
        std::string label;
        double operations_per_second = 0;
    };
    std::vector<Ceiling> ceilings;
    struct Point {
        double intensity = 0;  // operations per byte
        double operations_per_second = 0;
        std::string label;
        bool measured = false;  // else an estimate, drawn hollow
    };
    std::vector<Point> points;
};
Figure draw(const Roofline& chart);

// Memory from 0 to `limit_bytes` as one bar, in blocks.
struct MemoryMap {
    struct Block {
        std::string label;
        double offset = 0, bytes = 0;
        int series = 0;
    };
    std::vector<Block> blocks;
    double used_bytes = 0;  // the end of the last block, and what lies behind it
    double limit_bytes = 0;
    std::string limit_label;
};
Figure draw(const MemoryMap& chart);

// A small matrix whose cells have a text, a colour, and a frame where marked: which lane holds
// which element, which chunk stands where.
struct CellGrid {
    std::string column_label, row_label;
    std::vector<std::string> columns, rows;
    struct Cell {
        std::string text;
        std::string title;
        int series = 0;
        bool marked = false;
    };
    std::vector<Cell> cells;  // [rows, columns]
    std::vector<LegendEntry> legend;
    std::string description;
};
Figure draw(const CellGrid& chart);

}  // namespace sagejit::report
