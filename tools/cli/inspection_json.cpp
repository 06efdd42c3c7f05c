// An inspection as JSON and as rows of tables.
#include <fmt/format.h>

#include <algorithm>

#include "bench/work.h"
#include "config_file.h"
#include "inspection.h"

namespace sagejit::cli {
namespace {

Json mix_json(const InspectedKernel& kernel) {
    Json kinds = Json::object(), names = Json::object();
    for (int i = 0; i < analysis::kInstructionKinds; ++i) {
        const auto kind = static_cast<analysis::InstructionKind>(i);
        kinds[std::string(to_string(kind))] = kernel.mix->of(kind);
    }
    for (const auto& [name, count] : kernel.mix->by_mnemonic) names[name] = count;
    return {{"of", kernel.mix_of_loop ? "main_loop" : "kernel"},
            {"instructions", kernel.mix->total},
            {"kinds", std::move(kinds)},
            {"mnemonics", std::move(names)}};
}

Json kernel_json(const InspectedKernel& kernel) {
    const auto optional = [](const std::optional<int>& value) {
        return value ? Json(*value) : Json(nullptr);
    };
    Json fields = {{"entry", kernel.symbol},
                   {"threads", kernel.threads > 0 ? Json(kernel.threads) : Json(nullptr)},
                   {"registers", kernel.registers},
                   {"spill_bytes", optional(kernel.spill_bytes)},
                   {"stack_bytes", kernel.stack_bytes},
                   {"static_shared_bytes", kernel.static_shared_bytes},
                   {"dynamic_shared_bytes", optional(kernel.dynamic_shared_bytes)}};
    fields["occupancy"] = nullptr;
    if (kernel.occupancy) {
        fields["occupancy"] = {{"ctas", kernel.occupancy->ctas},
                               {"warps", kernel.occupancy->warps},
                               {"warps_limit", kernel.occupancy->warps_limit},
                               {"limited_by", to_string(kernel.occupancy->limit)}};
    }
    fields["instructions"] = kernel.mix ? mix_json(kernel) : Json(nullptr);
    return fields;
}

Json limits_json(const Inspection& inspection) {
    const Prediction& prediction = *inspection.prediction;
    return {{"gpu", analysis::usual_gpu(inspection.plan->target)},
            {"shape", sizes_json(*inspection.sizes)},
            {"operations", operations(inspection)},
            {"bytes", least_bytes(inspection)},
            {"operations_per_byte", operations(inspection) / least_bytes(inspection)},
            {"milliseconds",
             {{"tensor", prediction.tensor_ms},
              {"exponential", prediction.exponential_ms},
              {"vector", prediction.vector_ms},
              {"shared_memory", prediction.shared_ms},
              {"l2_cache", prediction.cache_ms},
              {"memory", prediction.memory_ms},
              {"attention", prediction.attention_ms},
              {"whole_call", prediction.whole_call_ms}}},
            {"limited_by", to_string(prediction.limit)}};
}

}  // namespace

std::vector<ResourceTime> resource_times(const Prediction& prediction) {
    std::vector<ResourceTime> times = {
        {"tensor cores", prediction.tensor_ms},    {"exponentials", prediction.exponential_ms},
        {"fp32 arithmetic", prediction.vector_ms}, {"shared memory", prediction.shared_ms},
        {"L2 cache", prediction.cache_ms},         {"device memory", prediction.memory_ms}};
    std::stable_sort(times.begin(), times.end(), [](const ResourceTime& a, const ResourceTime& b) {
        return a.milliseconds > b.milliseconds;
    });
    return times;
}

double operations(const Inspection& inspection) {
    return attention_flops(inspection.sizes->shape, inspection.plan->spec);
}

double least_bytes(const Inspection& inspection) {
    constexpr double kTeraPerMilli = 1e9;
    const GpuRates rates = rates_for(inspection.plan->target);
    return inspection.prediction->memory_ms * rates.memory_tb_per_s * kTeraPerMilli;
}

Json inspection_json(const Inspection& inspection) {
    Json kernels = Json::array();
    for (const InspectedKernel& kernel : inspection.kernels) {
        kernels.push_back(kernel_json(kernel));
    }
    Json fields = {{"name", inspection.name},       {"file", inspection.file},
                   {"target", inspection.target},   {"kernels", std::move(kernels)},
                   {"read_by", inspection.read_by}, {"notes", inspection.notes}};
    fields["plan"] = inspection.plan ? Json::parse(plan_json(*inspection.plan)) : Json(nullptr);
    fields["config"] = inspection.plan ? spec_json(inspection.plan->spec) : Json(nullptr);
    fields["estimate"] = inspection.prediction ? limits_json(inspection) : Json(nullptr);
    return fields;
}

std::vector<std::string> kernel_header() {
    return {"entry",  "threads", "registers", "spills",    "stack",
            "shared", "CTAs/SM", "occupancy", "limited by"};
}

std::vector<std::vector<std::string>> kernel_rows(const Inspection& inspection) {
    std::vector<std::vector<std::string>> rows;
    for (const InspectedKernel& kernel : inspection.kernels) {
        const int shared = kernel.static_shared_bytes + kernel.dynamic_shared_bytes.value_or(0);
        std::vector<std::string> row = {
            kernel.symbol,
            kernel.threads > 0 ? fmt::to_string(kernel.threads) : "-",
            kernel.registers > 0 ? fmt::to_string(kernel.registers) : "-",
            kernel.spill_bytes ? fmt::to_string(*kernel.spill_bytes) : "-",
            fmt::to_string(kernel.stack_bytes),
            kernel.dynamic_shared_bytes ? fmt::to_string(shared) : fmt::format("{}+", shared)};
        if (kernel.occupancy) {
            row.push_back(fmt::to_string(kernel.occupancy->ctas));
            row.push_back(fmt::format("{:.0f} %", 100 * kernel.occupancy->share()));
            row.emplace_back(to_string(kernel.occupancy->limit));
        }
        row.resize(kernel_header().size(), "-");
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<Difference> differences(const Inspection& a, const Inspection& b) {
    // What a plan decides and what came of it; kernels by name, so that each is compared with
    // itself. Single mnemonics are too many to read, and code outside of loops tells little.
    const auto flat = [](const Inspection& inspection) {
        const Json all = inspection_json(inspection);
        Json json = Json::object();
        for (const char* part : {"target", "config", "plan"}) json[part] = all[part];
        for (Json kernel : all["kernels"]) {
            const Json instructions = kernel["instructions"];
            const std::string name = kernel["entry"].get<std::string>();
            kernel.erase("entry");
            if (instructions.is_object() && instructions["of"] == "main_loop") {
                kernel["loop"] = instructions["kinds"];
            }
            kernel.erase("instructions");
            json[name] = std::move(kernel);
        }
        json["estimate"] = all["estimate"];
        if (json["plan"].is_object()) {
            json["plan"].erase("target");
            Json& memory = json["plan"]["shared_memory"];
            for (const Json& region : all["plan"]["shared_memory"]["stage_regions"]) {
                memory[region["name"].get<std::string>()] = region;
            }
            memory.erase("stage_regions");
        }
        if (json["estimate"].is_object()) json["estimate"].erase("shape");
        return json.flatten();
    };
    const Json left = flat(a), right = flat(b);
    std::vector<Difference> result;
    const auto text = [](const Json* value) {
        if (value == nullptr) return std::string("-");
        if (value->is_string()) return value->get<std::string>();
        return value->is_number_float() ? fmt::format("{:.4g}", value->get<double>())
                                        : value->dump();
    };
    const auto add = [&](const std::string& field, const Json* x, const Json* y) {
        if (x != nullptr && y != nullptr && *x == *y) return;
        Difference difference{field.substr(1), text(x), text(y), {}};
        if (x != nullptr && y != nullptr && x->is_number() && y->is_number() &&
            x->get<double>() != 0) {
            const double change = y->get<double>() / x->get<double>() - 1;
            difference.change = fmt::format("{:+.3g} %", 100 * change);
        }
        result.push_back(std::move(difference));
    };
    for (const auto& [field, value] : left.items()) {
        add(field, &value, right.contains(field) ? &right[field] : nullptr);
    }
    for (const auto& [field, value] : right.items()) {
        if (!left.contains(field)) add(field, nullptr, &value);
    }
    return result;
}

}  // namespace sagejit::cli
