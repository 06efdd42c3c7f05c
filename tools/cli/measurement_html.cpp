#include "measurement_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "report/charts.h"
#include "report/page.h"

namespace sagejit::cli {
namespace {

using report::Page;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kMostBars = 24;  // groups that fit beside each other

double number(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : kNone;
}

std::string text(double value, const char* format = "{:.4g}") {
    return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : "-";
}

std::string shape_name(const Json& shape) {
    const auto size = [&](const char* key) { return shape.at(key).get<int64_t>(); };
    // Where queries and keys have the same, once is enough.
    const auto both = [&](const char* q, const char* k) {
        return size(q) == size(k) ? fmt::to_string(size(q))
                                  : fmt::format("{}/{}", size(q), size(k));
    };
    return fmt::format("{}×{}×{}×{}", size("batch"), both("heads_q", "heads_kv"),
                       both("len_q", "len_k"), both("head_dim", "head_dim_v"));
}

// The tiles in a plan's summary, "q128 k64 w16 s3".
struct Tiles {
    int tile_q = 0, tile_k = 0;
    std::string rest;  // "w16 s3"
};
std::optional<Tiles> tiles_of(const std::string& summary) {
    Tiles tiles;
    int warp_q = 0, stages = 0;
    if (std::sscanf(summary.c_str(), "q%d k%d w%d s%d", &tiles.tile_q, &tiles.tile_k, &warp_q,
                    &stages) < 2) {
        return std::nullopt;
    }
    const size_t rest = summary.find(" w");
    tiles.rest = rest == std::string::npos ? "" : summary.substr(rest + 1);
    return tiles;
}

// The best time of each pair of tiles.
class TileMap {
  public:
    void add(const std::string& plan, double milliseconds) {
        const std::optional<Tiles> tiles = tiles_of(plan);
        if (!tiles) return;
        rows_.insert(tiles->tile_q);
        columns_.insert(tiles->tile_k);
        if (!std::isfinite(milliseconds)) return;
        const auto [place, is_new] =
            best_.emplace(std::pair(tiles->tile_q, tiles->tile_k), milliseconds);
        if (!is_new) place->second = std::min(place->second, milliseconds);
    }
    bool worth_drawing() const { return best_.size() > 1; }

    // chosen: the plan whose tile is framed; empty: the fastest.
    report::Figure draw(const std::string& chosen) const {
        report::Heatmap chart;
        chart.x_label = "tile_k";
        chart.y_label = "tile_q";
        chart.value_label = "ms";
        for (const int column : columns_) chart.columns.push_back(fmt::to_string(column));
        for (const int row : rows_) {
            chart.rows.push_back(fmt::to_string(row));
            for (const int column : columns_) {
                const auto found = best_.find({row, column});
                const std::optional<Tiles> tiles = tiles_of(chosen);
                if (tiles && tiles->tile_q == row && tiles->tile_k == column) {
                    chart.chosen = chart.values.size();
                }
                chart.values.push_back(found != best_.end() ? std::optional(found->second)
                                                            : std::nullopt);
            }
        }
        return report::draw(chart);
    }

  private:
    std::set<int> rows_, columns_;
    std::map<std::pair<int, int>, double> best_;
};

constexpr const char* kTileCaption =
    "Milliseconds of a whole call by tile, the best over warps and stages";

void add_speeds(Page& page, const Json& rows) {
    report::BarChart chart;
    chart.value_label = "TFLOPS";
    chart.series = {{"attention", {}}, {"whole call", {}}};
    std::vector<std::vector<std::string>> table;
    for (const Json& row : rows) {
        const std::string config = row.at("config"), plan = row.at("plan");
        const std::string shape = shape_name(row.at("shape"));
        if (row.contains("error")) {
            table.push_back({"", config, plan, shape,
                             "failed: " + row["error"].at("message").get<std::string>(), "-", "-",
                             "-", "-", "-"});
            continue;
        }
        const Json &attention = row.at("attention"), &whole = row.at("whole_call");
        chart.groups.push_back(fmt::format("{} {}", config, shape));
        chart.series[0].values.push_back(number(attention, "tflops"));
        chart.series[1].values.push_back(number(whole, "tflops"));
        const double distance = number(attention, "q3_ms") - number(attention, "q1_ms");
        table.push_back({fmt::to_string(chart.groups.size()), config, plan, shape,
                         text(number(attention, "median_ms")),
                         text(100 * distance / 2 / number(attention, "median_ms"), "{:.1f} %"),
                         text(number(attention, "tflops")),
                         text(100 * number(attention, "share_of_peak"), "{:.0f} %"),
                         text(number(whole, "median_ms")), text(number(whole, "tflops"))});
    }
    if (!chart.groups.empty() && chart.groups.size() <= kMostBars) {
        page.section("Speed");
        // Names of many groups would lie over each other: numbers of the table stand for them.
        if (chart.groups.size() > 6) {
            for (size_t i = 0; i < chart.groups.size(); ++i) {
                chart.groups[i] = fmt::to_string(i + 1);
            }
        }
        page.figure(draw(chart), "Operations of both matrix products over the median time.");
    }
    page.section("Numbers");
    page.table({"#", "config", "plan", "shape", "attention ms", "spread", "TFLOPS", "of peak",
                "call ms", "TFLOPS"},
               table);
    page.text(
        "Shapes are batch×heads×length×head_dim, with queries/keys where these differ. Spread is "
        "half the quartile distance over the median; peak is what the tensor cores sustain.");
}

}  // namespace

std::string bench_html(const Json& rows, const Json& data) {
    std::string device = "nothing measured";
    if (!rows.empty()) device = rows.front().at("device_name").get<std::string>();
    Page page("Benchmark", fmt::format("{} measurements on {}", rows.size(), device));
    if (!rows.empty() && rows.front().at("device") == "host") {
        page.note(
            "Measured on the host device, which runs kernels on the CPU: these times "
            "say nothing about a GPU.");
    }
    add_speeds(page, rows);
    std::map<std::string, TileMap> maps;
    for (const Json& row : rows) {
        const std::string key =
            fmt::format("{}, {}", row.at("config").get<std::string>(), shape_name(row.at("shape")));
        const double ms =
            row.contains("whole_call") ? number(row["whole_call"], "median_ms") : kNone;
        maps[key].add(row.at("plan"), ms);
    }
    for (const auto& [name, map] : maps) {
        if (!map.worth_drawing()) continue;
        page.section("Tiles: " + name);
        page.figure(map.draw(""), std::string(kTileCaption) + "; the fastest is framed.");
    }
    return page.html(data);
}

namespace {

// Where there are several pairs.
void add_winners(Page& page, const Json& results) {
    if (results.size() < 2) return;
    std::vector<std::vector<std::string>> rows;
    for (const Json& result : results) {
        std::vector<std::string> row = {result.at("config"), shape_name(result.at("shape"))};
        if (result.at("winner").is_null()) {
            row.resize(8, "-");
            rows.push_back(std::move(row));
            continue;
        }
        const Json& record = result.at("record");
        const bool estimate = result.at("estimate");
        const auto ms = [&](const char* measured, const char* predicted) {
            if (estimate) return number(record, predicted);
            return record.at(measured).is_object() ? number(record[measured], "median_ms") : kNone;
        };
        row.insert(row.end(), {result["winner"], text(ms("whole_call", "predicted_ms")),
                               text(ms("default_whole_call", "default_predicted_ms")),
                               text(100 * number(result, "gain"), "{:.1f} %"),
                               result.at("predicted_rank").dump(),
                               result.at("complete").get<bool>() ? "" : "cut short"});
        rows.push_back(std::move(row));
    }
    page.section("Winners");
    page.table({"config", "shape", "winner", "ms", "default ms", "gain", "rank", ""}, rows);
}

}  // namespace

std::string tune_html(const Json& results, const Json& data) {
    Page page("Tuning", fmt::format("pairs of config and shape: {}", results.size()));
    add_winners(page, results);
    for (const Json& result : results) {
        const bool estimate = result.at("estimate");
        const std::string name = result.at("config");
        page.section(fmt::format("{}, {}", name, shape_name(result.at("shape"))));
        if (estimate) page.note("Estimates by the analytic model: no GPU measured them.");
        if (result.at("winner").is_null()) {
            page.note("No candidate could be run.");
            continue;
        }
        const std::string winner = result["winner"], standard = result.at("default");
        page.facts({{"winner", winner},
                    {"default", standard},
                    {"gain", text(100 * number(result, "gain"), "{:.1f} %")},
                    {"rank among the predictions", result.at("predicted_rank").dump()},
                    {"seconds", text(number(result, "seconds"))}});
        TileMap map;
        report::ScatterChart scatter;
        scatter.x_label = "predicted ms of a whole call";
        scatter.y_label = "measured ms";
        scatter.series = {"candidates"};
        scatter.front = false;
        std::vector<std::vector<std::string>> rows;
        std::vector<size_t> marked;
        for (const Json& candidate : result.at("candidates")) {
            const std::string plan = candidate.at("plan");
            const double predicted = number(candidate.at("predicted"), "whole_call_ms");
            const bool measured =
                candidate.contains("whole_call") && candidate["whole_call"].is_object();
            const double ms = measured ? number(candidate["whole_call"], "median_ms") : kNone;
            map.add(plan, estimate ? predicted : ms);
            if (std::isfinite(ms)) {
                scatter.points.push_back({predicted, ms, plan, 0, plan == winner});
            }
            if (plan == winner) marked.push_back(rows.size());
            const double third =
                !estimate ? ms
                : candidate.contains("instructions") && candidate["instructions"].is_object()
                    ? number(candidate["instructions"], "total")
                    : kNone;
            rows.push_back({plan, text(predicted), text(third, estimate ? "{:.0f}" : "{:.4g}"),
                            candidate.at("status")});
        }
        if (map.worth_drawing()) {
            page.figure(map.draw(winner), std::string(kTileCaption) + "; the winner's is framed.");
        }
        if (scatter.points.size() > 1) {
            page.figure(draw(scatter),
                        "What the model predicted and what was measured: near a "
                        "rising line it ranks well. Framed: the winner.");
        }
        page.table({"plan", "predicted ms", estimate ? "instructions" : "measured ms", "status"},
                   rows, marked);
        if (estimate) {
            page.text(
                "Instructions that warps executed on the host device, on a small problem: of plans "
                "that the model cannot tell apart the one with the fewest wins.");
        }
    }
    return page.html(data);
}

}  // namespace sagejit::cli
