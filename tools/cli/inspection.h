// Everything `sagejit inspect` tells about a config, a cubin or a kernel of a bundle.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/occupancy.h"
#include "analysis/sass.h"
#include "output.h"
#include "sagejit/generator/plan.h"
#include "shape_option.h"
#include "tune/model.h"

namespace sagejit::cli {

struct InspectedKernel {
    std::string symbol;
    int registers = 0, stack_bytes = 0, static_shared_bytes = 0;
    std::optional<int> spill_bytes;           // stores and loads; known after a compilation only
    std::optional<int> dynamic_shared_bytes;  // known with a plan
    int threads = 0;                          // per CTA; 0: unknown
    std::optional<analysis::Occupancy> occupancy;
    // Of the main loop, or where no loop multiplies matrices of the whole kernel.
    std::optional<analysis::InstructionMix> mix;
    bool mix_of_loop = false;
};

struct Inspection {
    std::string name;  // the config's or the file's
    std::string file;
    std::string target;  // "sm_90"
    std::optional<Plan> plan;
    std::vector<InspectedKernel> kernels;
    std::string read_by;  // what read the machine code
    std::vector<std::string> notes;
    // With a plan.
    std::optional<Sizes> sizes;
    std::optional<Prediction> prediction;
};

struct InspectOptions {
    std::string target;  // replaces the config's
    std::string shape;   // of --shape; empty: a default
    bool no_cache = false;
};

// Inspects a file, by what it holds: a cubin, a bundle (one inspection a kernel), or a config,
// which is compiled; without NVRTC what only the plan says is left, with a note. Throws Error.
std::vector<Inspection> inspect_file(const std::string& file, const InspectOptions& options);

// What the prediction says of each resource of the attention kernel, longest first.
struct ResourceTime {
    std::string resource;
    double milliseconds = 0;
};
std::vector<ResourceTime> resource_times(const Prediction& prediction);
// Operations of both matrix products, and bytes the attention kernel must move at least.
double operations(const Inspection& inspection);
double least_bytes(const Inspection& inspection);

// The same fields for a program.
Json inspection_json(const Inspection& inspection);

// The table of the kernels, and the tables of the reports.
std::vector<std::vector<std::string>> kernel_rows(const Inspection& inspection);
std::vector<std::string> kernel_header();

// Fields that differ between two inspections: path, value in each.
struct Difference {
    std::string field, a, b;
    std::string change;  // of numbers: "+25 %"; else empty
};
std::vector<Difference> differences(const Inspection& a, const Inspection& b);

// The report as HTML; two of them are compared.
std::string inspection_html(const std::vector<Inspection>& inspections, const Json& data);
std::string difference_html(const Inspection& a, const Inspection& b, const Json& data);

}  // namespace sagejit::cli
