#include "inspection.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "analysis/cubin_file.h"
#include "analysis/disassembler.h"
#include "config_file.h"
#include "obtain_cubin.h"
#include "sagejit/bundle.h"
#include "sagejit/generator/source.h"
#include "sagejit/generator/workspace.h"

namespace sagejit::cli {
namespace {

constexpr const char* kDefaultShape = "1,32,32,4096,4096";
// The first bytes of a cubin and of a bundle; no config begins with either.
constexpr uint8_t kElfStart = 0x7f, kBundleStart = 0x89;
constexpr uint64_t kMostBytes = uint64_t{1} << 30;

std::vector<uint8_t> read_bytes(const std::string& file, uint64_t most) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        throw Error(ErrorCode::kIo, "cannot open", file, "name a config, a cubin or a bundle");
    }
    std::vector<uint8_t> bytes;
    char part[65536];
    while (bytes.size() < most && (stream.read(part, sizeof part) || stream.gcount() > 0)) {
        bytes.insert(bytes.end(), part, part + stream.gcount());
    }
    if (stream.bad()) throw Error(ErrorCode::kIo, "cannot read", file);
    if (bytes.size() >= kMostBytes) {
        throw Error(ErrorCode::kInvalidInput, "is larger than 1 GiB", file);
    }
    return bytes;
}

// The machine code of every kernel, by a disassembler or by the table of opcodes.
void read_code(Inspection& inspection, std::span<const uint8_t> cubin) {
    const analysis::CubinFile file = analysis::read_cubin(cubin, inspection.file);
    const analysis::Disassembly disassembly = analysis::disassemble(cubin);
    if (disassembly.tool.empty()) {
        inspection.read_by = "sagejit's table of opcodes";
        inspection.notes.push_back(
            disassembly.problem.empty()
                ? "No nvdisasm or cuobjdump was found: instructions were counted by sagejit's own "
                  "table of opcodes, which knows their names but not their variants."
                : "The disassembler failed (" + disassembly.problem +
                      "): instructions were counted by sagejit's own table of opcodes.");
    } else {
        inspection.read_by = disassembly.tool;
    }
    for (const analysis::CubinKernel& code : file.kernels) {
        const auto same = [&](const auto& kernel) { return kernel.symbol == code.symbol; };
        auto kernel = std::find_if(inspection.kernels.begin(), inspection.kernels.end(), same);
        if (kernel == inspection.kernels.end()) {
            InspectedKernel found;
            found.symbol = code.symbol;
            found.registers = code.registers;
            found.stack_bytes = code.stack_bytes;
            found.static_shared_bytes = code.static_shared_bytes;
            found.threads = code.max_threads;
            kernel = inspection.kernels.insert(inspection.kernels.end(), found);
        }
        const auto listed =
            std::find_if(disassembly.kernels.begin(), disassembly.kernels.end(), same);
        const std::vector<analysis::Instruction> instructions =
            listed != disassembly.kernels.end()
                ? listed->instructions
                : analysis::decode_instructions(code.code, file.arch);
        const auto loop = analysis::main_loop(instructions);
        kernel->mix_of_loop = loop.has_value();
        kernel->mix = analysis::count(
            instructions, loop.value_or(analysis::InstructionRange{0, instructions.size()}));
    }
}

void find_occupancies(Inspection& inspection) {
    for (const Target& target : all_targets()) {
        if (target.name != inspection.target) continue;
        for (InspectedKernel& kernel : inspection.kernels) {
            if (kernel.threads <= 0) continue;
            // Without a plan the dynamic part is not known, and so neither is the occupancy.
            if (!kernel.dynamic_shared_bytes) continue;
            kernel.occupancy =
                analysis::occupancy(target, kernel.threads, kernel.registers,
                                    kernel.static_shared_bytes + *kernel.dynamic_shared_bytes);
        }
    }
}

void find_limits(Inspection& inspection, const InspectOptions& options) {
    const Plan& plan = *inspection.plan;
    const std::string text =
        options.shape.empty()
            ? fmt::format("{},{},{}", kDefaultShape, plan.spec.head_dim, plan.spec.head_dim_v)
            : options.shape;
    inspection.sizes = parse_sizes(text);
    const Sizes& sizes = *inspection.sizes;
    if (sizes.head_dim != plan.spec.head_dim || sizes.head_dim_v != plan.spec.head_dim_v) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("has head_dim {} and {}, {} is for {} and {}", sizes.head_dim,
                                sizes.head_dim_v, inspection.file, plan.spec.head_dim,
                                plan.spec.head_dim_v),
                    "--shape " + text, "use the config's head dimensions");
    }
    inspection.prediction = predict(plan, sizes.shape, rates_for(plan.target));
}

void take_entries(Inspection& inspection, const std::vector<CubinEntry>& entries) {
    constexpr Shape kAnyShape = {1, 1, 1, 1, 1};
    for (const LaunchStep& step : launch_steps(*inspection.plan, kAnyShape)) {
        InspectedKernel kernel;
        kernel.symbol = step.entry;
        kernel.threads = step.threads;
        kernel.dynamic_shared_bytes = step.shared_bytes;
        for (const CubinEntry& entry : entries) {
            if (entry.symbol != step.entry) continue;
            kernel.registers = entry.registers;
            kernel.stack_bytes = entry.stack_bytes;
            kernel.static_shared_bytes = entry.static_shared_bytes;
            kernel.spill_bytes = entry.spill_store_bytes + entry.spill_load_bytes;
        }
        inspection.kernels.push_back(std::move(kernel));
    }
}

Inspection inspect_config(const std::string& file, const InspectOptions& options) {
    const Config config = read_config(file, options.target);
    Inspection inspection;
    inspection.plan = plan_config(config);
    inspection.name = config.name;
    inspection.file = file;
    inspection.target = inspection.plan->target.name;
    if (!config.spec.target) {
        inspection.notes.push_back(fmt::format(
            "Neither --target nor the config names a target: this is for {}.", inspection.target));
    }
    find_limits(inspection, options);
    PrepareOptions prepare_options;
    prepare_options.use_cache = !options.no_cache;
    try {
        const ObtainedCubin obtained =
            obtain_cubin(emit(*inspection.plan).text, generator_version(), inspection.target,
                         config.name, prepare_options);
        take_entries(inspection, obtained.cubin->entries);
        read_code(inspection, obtained.cubin->bytes);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kNoNvrtc) throw;
        take_entries(inspection, {});
        for (InspectedKernel& kernel : inspection.kernels) {
            if (kernel.symbol == "attention") kernel.registers = inspection.plan->register_estimate;
        }
        inspection.notes.push_back(
            "NVRTC was not found, so nothing was compiled: registers are the plan's estimate, and "
            "there is no machine code to look at. See sagejit doctor.");
    }
    find_occupancies(inspection);
    return inspection;
}

Inspection inspect_cubin(const std::string& file, const std::vector<uint8_t>& bytes) {
    Inspection inspection;
    inspection.name = std::filesystem::path(file).stem().string();
    inspection.file = file;
    inspection.target = fmt::format("sm_{}", analysis::read_cubin(bytes, file).arch);
    inspection.notes.push_back(
        "A cubin does not say what it was compiled from: spills are known only where registers "
        "were put on the stack, and dynamic shared memory, occupancy and plan not at all.");
    read_code(inspection, bytes);
    return inspection;
}

// The plan behind a bundled kernel, where this version of sagejit would still make it.
std::optional<Plan> plan_of(const BundleKernel& kernel) {
    try {
        Plan plan = make_plan(parse_spec(kernel.spec), find_target(kernel.target));
        if (Json::parse(plan_json(plan)) == Json::parse(kernel.plan)) return plan;
    } catch (const std::exception&) {
        // Of another version; what the bundle says remains.
    }
    return std::nullopt;
}

std::vector<Inspection> inspect_bundle(const std::string& file, const InspectOptions& options) {
    const Bundle bundle = Bundle::open(file);
    std::vector<Inspection> inspections;
    for (const BundleKernel& kernel : bundle.kernels()) {
        if (!options.target.empty() && kernel.target != options.target) continue;
        Inspection inspection;
        inspection.name = kernel.name;
        inspection.file = file;
        inspection.target = kernel.target;
        inspection.plan = plan_of(kernel);
        if (inspection.plan) {
            take_entries(inspection, kernel.entries);
            find_limits(inspection, options);
        } else {
            inspection.notes.push_back(
                "This kernel was planned by another version of sagejit: its plan is not shown.");
        }
        read_code(inspection, bundle.cubin(kernel));
        find_occupancies(inspection);
        inspections.push_back(std::move(inspection));
    }
    if (inspections.empty()) {
        throw Error(
            ErrorCode::kInvalidInput,
            options.target.empty() ? "holds no kernels" : "holds no kernel for " + options.target,
            file);
    }
    return inspections;
}

}  // namespace

std::vector<Inspection> inspect_file(const std::string& file, const InspectOptions& options) {
    const std::vector<uint8_t> start = read_bytes(file, 1);
    if (!start.empty() && start.front() == kBundleStart) return inspect_bundle(file, options);
    if (!start.empty() && start.front() == kElfStart) {
        if (!options.target.empty() || !options.shape.empty()) {
            throw UsageError("--target and --shape are for configs, not for a cubin");
        }
        return {inspect_cubin(file, read_bytes(file, kMostBytes))};
    }
    return {inspect_config(file, options)};
}

}  // namespace sagejit::cli
