// A calibration as a page.
#include <fmt/format.h>

#include "calibration.h"
#include "report/charts.h"
#include "report/page.h"

namespace sagejit::cli {
namespace {

using report::Page;

// Errors are easier to compare than what is close to 1.
constexpr const char* kErrorLabel = "1 − cosine";

double error(const Calibration& calibration, const ClassResult& result) {
    return 1 - calibration.score(result);
}

void add_bars(Page& page, const Calibration& calibration) {
    report::BarChart chart;
    chart.value_label = kErrorLabel;
    chart.logarithmic = true;
    chart.limit = 1 - calibration.options.threshold;
    chart.limit_label = fmt::format("threshold {}", calibration.options.threshold);
    for (const LayerResult& layer : calibration.layers) chart.groups.push_back(layer.layer);
    // As many as there are colours: smoothed ones first, the usual sums and int8.
    for (const char* name : {"thread", "token", "block", "thread int8", "token int8", "block int8",
                             "thread, not smoothed", "block, not smoothed"}) {
        report::BarChart::Series series{name, {}};
        for (size_t i = 0; i < calibration.list.classes.size(); ++i) {
            // The base config is one of them under another name.
            const Spec& spec = calibration.list.classes[i].config.spec;
            const std::string own = fmt::format("{}{}{}", to_string(spec.granularity),
                                                spec.pv_type == PvType::kInt8 ? " int8" : "",
                                                spec.smooth_k ? "" : ", not smoothed");
            const bool usual = spec.pv_type == PvType::kInt8 ||
                               (spec.pv_type == PvType::kFp16 && spec.pv_accum == PvAccum::kFp32);
            if (own != name || !usual) continue;
            for (const LayerResult& layer : calibration.layers) {
                series.values.push_back(error(calibration, layer.classes[i]));
            }
            break;
        }
        if (!series.values.empty()) chart.series.push_back(std::move(series));
    }
    page.section("Error of each layer");
    page.figure(draw(chart), "Shorter is better; bars above the line fail the threshold.");
}

void add_heatmap(Page& page, const Calibration& calibration) {
    report::Heatmap chart;
    chart.x_label = "layer";
    chart.y_label = "class";
    chart.value_label = kErrorLabel;
    for (const LayerResult& layer : calibration.layers) chart.columns.push_back(layer.layer);
    for (const AccuracyClass& each : calibration.list.classes) {
        chart.rows.push_back(each.name);
        for (const LayerResult& layer : calibration.layers) {
            const size_t i = chart.rows.size() - 1;
            chart.values.emplace_back(error(calibration, layer.classes[i]));
        }
    }
    page.section("Every class on every layer");
    page.figure(draw(chart), "1 − cosine; deeper is worse, the smallest is framed.");
}

void add_scatter(Page& page, const Calibration& calibration, const LayerResult& layer) {
    report::ScatterChart chart;
    chart.x_label = calibration.measured ? "milliseconds of a whole call, measured"
                                         : "milliseconds of a whole call, estimated";
    chart.y_label = kErrorLabel;
    chart.logarithmic_y = true;
    chart.y_limit = 1 - calibration.options.threshold;
    chart.y_limit_label = "threshold";
    chart.series = {"fp16 P·V", "int8 P·V", "other P·V"};
    for (const ClassResult& result : layer.classes) {
        const AccuracyClass& each = calibration.list.classes[result.index];
        const int series = each.config.spec.pv_type == PvType::kFp16   ? 0
                           : each.config.spec.pv_type == PvType::kInt8 ? 1
                                                                       : 2;
        chart.points.push_back({result.milliseconds, error(calibration, result), each.name, series,
                                result.index == layer.chosen});
    }
    page.figure(draw(chart),
                fmt::format("{}: accuracy against speed, better to the lower left. Framed: chosen. "
                            "The dotted line joins what nothing beats in both.",
                            layer.layer));
}

void add_numbers(Page& page, const Calibration& calibration, const LayerResult& layer) {
    std::vector<std::vector<std::string>> rows;
    for (const ClassResult& result : layer.classes) {
        rows.push_back(
            {calibration.list.classes[result.index].name, fmt::format("{:.6f}", result.o.cosine),
             fmt::format("{:.6f}", result.worst_head_cosine),
             fmt::format("{:.3g}", result.o.rel_l1), fmt::format("{:.3g}", result.o.max_abs),
             fmt::format("{:.4g}", result.milliseconds)});
    }
    page.table({"class", "cosine", "worst head", "rel_l1", "max_abs",
                calibration.measured ? "ms" : "ms, estimated"},
               rows, {layer.chosen});
}

}  // namespace

std::string calibration_html(const Calibration& calibration, const Json& data) {
    const Kernel& kernel = calibration.kernels.front();
    Page page("Calibration", fmt::format("{} layers, {} classes of {}, on {} for {}",
                                         calibration.layers.size(), calibration.list.classes.size(),
                                         calibration.list.classes.front().config.name,
                                         kernel.device().name(), kernel.plan().target.name));
    if (!calibration.measured) {
        page.note(
            fmt::format("Times are estimates for the rates of one GPU of {}: no GPU measured "
                        "them. Errors are measured.",
                        kernel.plan().target.name));
    }
    page.section("What each layer takes");
    std::vector<std::vector<std::string>> rows;
    for (const LayerResult& layer : calibration.layers) {
        const ClassResult& result = layer.classes[layer.chosen];
        rows.push_back(
            {layer.layer, calibration.list.classes[layer.chosen].name,
             fmt::format("{:.6f}", result.o.cosine),
             fmt::format("{:.6f}", result.worst_head_cosine),
             fmt::format("{:.3g}", result.o.rel_l1), fmt::format("{:.4g}", result.milliseconds),
             fmt::format("{:.3f}", calibration.gain(layer)), layer.passed ? "yes" : "no"});
    }
    page.table({"layer", "class", "cosine", "worst head", "rel_l1", "ms", "times faster",
                "above the threshold"},
               rows);
    page.text(
        fmt::format("The fastest class whose {} is at least {}, and how many times faster "
                    "than the config given a whole call is with it.",
                    calibration.options.worst_head ? "worst head's cosine" : "cosine",
                    calibration.options.threshold));
    add_bars(page, calibration);
    add_heatmap(page, calibration);
    page.section("Accuracy and speed");
    for (const LayerResult& layer : calibration.layers) {
        add_scatter(page, calibration, layer);
        add_numbers(page, calibration, layer);
    }
    if (!calibration.list.skipped.empty()) {
        page.section("Left out");
        std::vector<std::vector<std::string>> skipped;
        for (const SkippedClass& each : calibration.list.skipped) {
            skipped.push_back({each.name, each.reason});
        }
        page.table({"class", "reason"}, skipped);
    }
    return page.html(data);
}

}  // namespace sagejit::cli
