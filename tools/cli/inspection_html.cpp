// Inspections as pages.
#include <fmt/format.h>

#include <algorithm>

#include "analysis/fragments.h"
#include "inspection.h"
#include "report/charts.h"
#include "report/page.h"
#include "report/svg.h"

namespace sagejit::cli {
namespace {

using report::Page;

constexpr int kBlockColours = 3;

void add_code_charts(Page& page, const std::vector<const Inspection*>& inspections) {
    report::BarChart chart;
    chart.value_label = "instructions";
    for (int i = 0; i < analysis::kInstructionKinds; ++i) {
        chart.groups.emplace_back(to_string(static_cast<analysis::InstructionKind>(i)));
    }
    std::vector<std::vector<std::string>> rows;
    for (const Inspection* inspection : inspections) {
        for (const InspectedKernel& kernel : inspection->kernels) {
            if (!kernel.mix || !kernel.mix_of_loop) continue;
            report::BarChart::Series series{
                fmt::format("{} for {}, {}", inspection->name, inspection->target, kernel.symbol),
                {}};
            for (const int count : kernel.mix->by_kind) series.values.push_back(count);
            std::string names;
            for (const auto& [name, count] : kernel.mix->by_mnemonic) {
                names += fmt::format("{}{} {}", names.empty() ? "" : ", ", name, count);
            }
            rows.push_back({series.name, fmt::to_string(kernel.mix->total), names});
            chart.series.push_back(std::move(series));
        }
    }
    if (chart.series.empty()) return;
    page.section("The main loop's instructions");
    page.figure(draw(chart),
                "Instructions of one warp in one turn of the loop that multiplies matrices, "
                "by what they are for, as they stand in the code: branches that are seldom taken "
                "count too. Spills should be 0.");
    for (const std::vector<std::string>& row : rows) {
        page.facts({{row[0], row[1] + " instructions"}, {"", row[2]}});
    }
}

void add_limits(Page& page, const Inspection& inspection) {
    const Prediction& prediction = *inspection.prediction;
    const Target& target = inspection.plan->target;
    const GpuRates rates = rates_for(target);
    page.section("What limits it");
    page.note(fmt::format(
        "Estimates, not measurements: from the plan and the rates of one {} ({} multiprocessors "
        "at {} GHz, {} TB/s), for the shape {}.",
        analysis::usual_gpu(target), rates.multiprocessors, rates.clock_ghz, rates.memory_tb_per_s,
        inspection.sizes->text));
    report::BarChart chart;
    chart.value_label = "milliseconds";
    chart.series.push_back({"", {}});
    for (const ResourceTime& time : resource_times(prediction)) {
        chart.groups.push_back(time.resource);
        chart.series.front().values.push_back(time.milliseconds);
    }
    chart.groups.insert(chart.groups.end(), {"attention kernel", "whole call"});
    chart.series.front().values.push_back(prediction.attention_ms);
    chart.series.front().values.push_back(prediction.whole_call_ms);
    report::Figure figure = draw(chart);
    figure.legend.clear();
    page.figure(figure,
                fmt::format("How long the attention kernel would take if it did nothing but this; "
                            "then the kernel itself, {:.3g} ms, limited by {}, and the whole call "
                            "with the quantization before it. {:.3g} waves of CTAs leave {:.0f} % "
                            "of the GPU idle in the last one.",
                            prediction.attention_ms, to_string(prediction.limit), prediction.waves,
                            100 * prediction.idle_share));
    report::Roofline roofline;
    roofline.bytes_per_second = rates.memory_tb_per_s * 1e12;
    const double work = operations(inspection);
    for (const ResourceTime& time : resource_times(prediction)) {
        if (time.resource == "device memory" || time.milliseconds <= 0) continue;
        roofline.ceilings.push_back({time.resource, work / (time.milliseconds / 1e3)});
    }
    roofline.points.push_back({work / least_bytes(inspection),
                               work / (prediction.attention_ms / 1e3),
                               inspection.name + ", estimated", false});
    page.figure(draw(roofline),
                "Roofline. Operations are those of the two matrix products; each ceiling is how "
                "many of them per second that resource allows.");
}

std::vector<report::MemoryMap::Block> memory_blocks(const Plan& plan) {
    std::vector<report::MemoryMap::Block> blocks;
    for (int stage = 0; stage < plan.stages; ++stage) {
        for (size_t i = 0; i < plan.stage_regions.size(); ++i) {
            const SharedRegion& region = plan.stage_regions[i];
            blocks.push_back({fmt::format("{}{}", region.name, stage),
                              static_cast<double>(stage * plan.stage_bytes + region.offset),
                              static_cast<double>(region.bytes),
                              static_cast<int>(i) % kBlockColours});
        }
    }
    const int staged = plan.stages * plan.stage_bytes;
    if (plan.shared_bytes > staged) {
        blocks.push_back({"q", static_cast<double>(staged),
                          static_cast<double>(plan.shared_bytes - staged), kBlockColours});
    }
    return blocks;
}

void add_memory_map(Page& page, const Inspection& inspection) {
    const Plan& plan = *inspection.plan;
    report::MemoryMap map;
    map.blocks = memory_blocks(plan);
    map.used_bytes = plan.shared_bytes;
    map.limit_bytes = plan.target.shared_per_cta;
    map.limit_label = fmt::format("bytes a CTA may use on {}", inspection.target);
    page.section(fmt::format("Shared memory of {}", inspection.name));
    page.figure(draw(map),
                fmt::format("{} stages of {} bytes{}: offsets in bytes above.", plan.stages,
                            plan.stage_bytes, plan.query_in_shared ? ", then Q's tile" : ""));
    std::vector<std::vector<std::string>> rows;
    for (const SharedRegion& region : plan.stage_regions) {
        rows.push_back({region.name, fmt::to_string(region.offset), fmt::to_string(region.bytes),
                        fmt::to_string(region.rows), fmt::to_string(region.row_bytes),
                        region.swizzle_chunks > 1
                            ? fmt::format("chunk ^ ((row / {}) % {})", region.swizzle_rows,
                                          region.swizzle_chunks)
                            : "none"});
    }
    page.table({"region", "offset in stage", "bytes", "rows", "bytes a row", "swizzle"}, rows);
}

// The first rows of a region: which 16-byte chunk stands where.
void add_swizzle(Page& page, const SharedRegion& region, const char* reader) {
    constexpr int kRows = 8, kMostChunks = 16, kChunkBytes = 16, kBankGroups = 8;
    const int chunks = std::min(region.row_bytes / kChunkBytes, kMostChunks);
    if (region.rows < kRows || chunks < 2) return;
    report::CellGrid grid;
    grid.column_label = "place of 16 bytes";
    grid.row_label = "row";
    grid.description = fmt::format("Swizzle of the region {}", region.name);
    for (int place = 0; place < chunks; ++place) grid.columns.push_back(fmt::to_string(place));
    for (int row = 0; row < kRows; ++row) {
        grid.rows.push_back(fmt::to_string(row));
        std::vector<report::CellGrid::Cell> cells(chunks);
        for (int chunk = 0; chunk < chunks; ++chunk) {
            const int place = analysis::physical_chunk(region, row, chunk);
            if (place >= chunks) continue;
            const int bank_group = (row * region.row_bytes / kChunkBytes + place) % kBankGroups;
            cells[place] = {fmt::to_string(chunk),
                            fmt::format("row {}, chunk {} stands at place {}, banks {} to {}", row,
                                        chunk, place, 4 * bank_group, 4 * bank_group + 3),
                            chunk % report::kSeriesColours, chunk == 0};
        }
        grid.cells.insert(grid.cells.end(), cells.begin(), cells.end());
    }
    page.figure(draw(grid),
                fmt::format("Region {}, first {} rows: which chunk of a row stands at which place. "
                            "The framed chunks, which one {} reads together, lie in "
                            "different banks.",
                            region.name, kRows, reader));
}

void add_lanes(Page& page, const Plan& plan) {
    constexpr int kRows = 16, kColumns = 16;
    report::CellGrid grid;
    grid.column_label = "key";
    grid.row_label = "query";
    grid.description = "Which lane holds which score";
    const bool key_groups = analysis::score_cell(plan, 0, kColumns - 1).k_group > 0;
    for (int column = 0; column < kColumns; ++column)
        grid.columns.push_back(fmt::to_string(column));
    for (int row = 0; row < kRows; ++row) {
        grid.rows.push_back(fmt::to_string(row));
        for (int column = 0; column < kColumns; ++column) {
            const analysis::ScoreCell cell = analysis::score_cell(plan, row, column);
            grid.cells.push_back(
                {fmt::to_string(cell.lane),
                 fmt::format("query {}, key {}: lane {}, accumulator {}; scale group {} of Q, {} "
                             "of K",
                             row, column, cell.lane, cell.element, cell.q_group, cell.k_group),
                 (key_groups ? cell.k_group : cell.q_group) % report::kSeriesColours,
                 cell.lane == 0});
        }
    }
    page.section("Which lane holds which score");
    page.figure(
        draw(grid),
        fmt::format("The first scores of a warp's tile: the number is the lane, the colour the "
                    "group that shares a scale of {} (granularity {}); lane 0 is framed. P stays "
                    "in these registers as the left operand of P·V.",
                    key_groups ? "K" : "Q", to_string(plan.spec.granularity)));
}

void add_inspection(Page& page, const Inspection& inspection) {
    for (const std::string& text : inspection.notes) page.note(text);
    page.table(kernel_header(), kernel_rows(inspection));
    add_code_charts(page, {&inspection});
    if (inspection.prediction) add_limits(page, inspection);
    if (!inspection.plan) return;
    add_memory_map(page, inspection);
    const bool is_wgmma = inspection.plan->target.family == Family::kWgmma;
    for (const SharedRegion& region : inspection.plan->stage_regions) {
        add_swizzle(page, region, is_wgmma ? "wgmma" : "ldmatrix");
    }
    add_lanes(page, *inspection.plan);
}

std::string plan_sentence(const Inspection& inspection) {
    if (!inspection.plan) return inspection.target;
    const Plan& plan = *inspection.plan;
    return fmt::format("{}: {} queries by {} keys a tile, {} warps of {} queries, {} stages",
                       inspection.target, plan.tile_q, plan.tile_k, plan.warps, plan.warp_q,
                       plan.stages);
}

}  // namespace

std::string inspection_html(const std::vector<Inspection>& inspections, const Json& data) {
    const Inspection& first = inspections.front();
    if (inspections.size() == 1) {
        Page page(first.name, plan_sentence(first));
        add_inspection(page, first);
        return page.html(data);
    }
    Page page(first.file, fmt::format("{} kernels", inspections.size()));
    for (const Inspection& inspection : inspections) {
        page.section(fmt::format("{} — {}", inspection.name, plan_sentence(inspection)));
        add_inspection(page, inspection);
    }
    return page.html(data);
}

std::string difference_html(const Inspection& a, const Inspection& b, const Json& data) {
    Page page(fmt::format("{} and {}", a.name, b.name),
              fmt::format("A: {}. B: {}.", plan_sentence(a), plan_sentence(b)));
    for (const std::string& text : a.notes) page.note(text);
    for (const std::string& text : b.notes) {
        const bool told = std::find(a.notes.begin(), a.notes.end(), text) != a.notes.end();
        if (!told) page.note(text);
    }
    page.section("What differs");
    std::vector<std::vector<std::string>> rows;
    for (const Difference& difference : differences(a, b)) {
        rows.push_back({difference.field, difference.a, difference.b, difference.change});
    }
    if (rows.empty()) {
        page.text("Nothing.");
    } else {
        page.table({"field", "A: " + a.name, "B: " + b.name, "change"}, rows);
    }
    page.section("Resources");
    for (const Inspection* each : {&a, &b}) {
        page.text(fmt::format("{} for {}", each->name, each->target));
        page.table(kernel_header(), kernel_rows(*each));
    }
    add_code_charts(page, {&a, &b});
    for (const Inspection* each : {&a, &b}) {
        if (each->plan) add_memory_map(page, *each);
    }
    return page.html(data);
}

}  // namespace sagejit::cli
