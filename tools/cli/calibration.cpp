#include "calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <variant>

#include "bench/work.h"
#include "sagejit/generator/layers.h"
#include "sagejit/generator/source.h"
#include "tensor/half.h"
#include "tune/model.h"

namespace sagejit::cli {
namespace {

struct Product {
    const char* name;  // in the class's name; empty: the usual one
    const char* type;
    const char* accumulation;  // empty: the type's own
};
// Types that a version does not know are refused by parse_spec, and left out.
constexpr std::array kProducts = {
    Product{"", "fp16", "fp32"},
    Product{" fp16 sums", "fp16", "fp16"},
    Product{" fp16 tiles", "fp16", "fp32_promote_fp16"},
    Product{" int8", "int8", ""},
    Product{" fp8", "fp8_e4m3", ""},
};
constexpr std::array kGranularities = {"thread", "token", "block"};

// The class as a config, or why there is none.
std::variant<AccuracyClass, SkippedClass> make_class(const Config& base, const Target& target,
                                                     const std::string& granularity, bool smooth,
                                                     const Product& product) {
    const std::string name =
        fmt::format("{}{}{}", granularity, product.name, smooth ? "" : ", not smoothed");
    Json json = spec_json(base.spec);
    json["name"] = name;
    json["qk"]["granularity"] = granularity;
    json["qk"]["smooth_k"] = smooth;
    json["pv"] = {{"type", product.type}};
    if (*product.accumulation != '\0') json["pv"]["accumulation"] = product.accumulation;
    try {
        AccuracyClass result{name, base};
        result.config.spec = parse_spec(json.dump(), name);
        result.config.name = name;
        (void)make_plan(result.config.spec, target);
        return result;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kInvalidConfig &&
            error.code() != ErrorCode::kUnsupportedTarget) {
            throw;
        }
        return SkippedClass{name, error.message()};
    }
}

bool same_kernel(Spec a, Spec b) {
    a.name = b.name = "";
    return a == b;
}

double worst_head(const AttentionProblem& problem, const std::vector<double>& exact,
                  const std::vector<double>& o) {
    const auto heads = static_cast<size_t>(problem.q_matrices());
    if (heads == 0) return 1;
    const size_t size = exact.size() / heads;
    double worst = 1;
    for (size_t head = 0; head < heads; ++head) {
        const Metrics metrics = compare(std::span(exact).subspan(head * size, size),
                                        std::span(o).subspan(head * size, size));
        worst = std::min(worst, metrics.cosine);
    }
    return worst;
}

}  // namespace

ClassList accuracy_classes(const Config& base, const Target& target) {
    ClassList list;
    list.classes.push_back({"config", base});
    for (const char* granularity : kGranularities) {
        for (const bool smooth : {true, false}) {
            for (const Product& product : kProducts) {
                // Without smoothing only the usual sums and int8: the rest says nothing new.
                const std::string type = product.type;
                if (!smooth && *product.name != '\0' && type != "int8") continue;
                auto made = make_class(base, target, granularity, smooth, product);
                if (auto* skipped = std::get_if<SkippedClass>(&made)) {
                    list.skipped.push_back(std::move(*skipped));
                    continue;
                }
                AccuracyClass& added = std::get<AccuracyClass>(made);
                if (same_kernel(added.config.spec, base.spec)) continue;
                list.classes.push_back(std::move(added));
            }
        }
    }
    return list;
}

bool Calibration::passed() const {
    return std::all_of(layers.begin(), layers.end(),
                       [](const LayerResult& layer) { return layer.passed; });
}

double Calibration::score(const ClassResult& result) const {
    return options.worst_head ? result.worst_head_cosine : result.o.cosine;
}

double Calibration::gain(const LayerResult& layer) const {
    return layer.classes.front().milliseconds / layer.classes[layer.chosen].milliseconds;
}

LayerResult calibrate_layer(const Calibration& calibration, const InputFile& input) {
    LayerResult layer{input.name, input.file, input.shape, {}, 0, false};
    const float logit_scale = logit_scale_or_default(calibration.options.logit_scale,
                                                     calibration.list.classes.front().config.spec);
    References references(input, logit_scale);
    for (size_t i = 0; i < calibration.kernels.size(); ++i) {
        const Kernel& kernel = calibration.kernels[i];
        const Plan& plan = kernel.plan();
        const AttentionOutput output =
            calibration.measured ? time_attention(kernel, input, logit_scale, TimingOptions())
                                 : call_attention(kernel, input, logit_scale);
        const std::vector<double>& exact = references.exact(plan.spec.causal).o;
        const std::vector<double> o = widen_to_double(output.o.bits(), output.o.dtype);
        ClassResult result{i, compare(exact, o), worst_head(references.problem(), exact, o), 0};
        result.milliseconds = output.median_ms.value_or(0);
        if (!calibration.measured) {
            result.milliseconds = predict(plan, input.shape, rates_for(plan.target)).whole_call_ms;
        }
        layer.classes.push_back(result);
    }
    const auto passes = [&](const ClassResult& result) {
        return calibration.score(result) >= calibration.options.threshold &&
               result.o.mismatched_nonfinite == 0;
    };
    const auto better = [&](const ClassResult& a, const ClassResult& b) {
        if (passes(a) != passes(b)) return passes(a);
        if (passes(a) && a.milliseconds != b.milliseconds) return a.milliseconds < b.milliseconds;
        return calibration.score(a) > calibration.score(b);
    };
    const auto best = std::min_element(layer.classes.begin(), layer.classes.end(), better);
    layer.chosen = static_cast<size_t>(best - layer.classes.begin());
    layer.passed = passes(*best);
    return layer;
}

namespace {

Json result_json(const Calibration& calibration, const ClassResult& result) {
    return {{"class", calibration.list.classes[result.index].name},
            {"cosine", result.o.cosine},
            {"worst_head_cosine", result.worst_head_cosine},
            {"rel_l1", result.o.rel_l1},
            {"rmse", result.o.rmse},
            {"max_abs", result.o.max_abs},
            {"nonfinite_one_sided", result.o.mismatched_nonfinite},
            {"whole_call_ms", result.milliseconds},
            {"timing", calibration.measured ? "measured" : "estimated"}};
}

}  // namespace

Json calibration_json(const Calibration& calibration) {
    Json layers = Json::array();
    for (const LayerResult& layer : calibration.layers) {
        Json classes = Json::array();
        for (const ClassResult& result : layer.classes) {
            classes.push_back(result_json(calibration, result));
        }
        layers.push_back({{"layer", layer.layer},
                          {"input", layer.file},
                          {"chosen", calibration.list.classes[layer.chosen].name},
                          {"passed", layer.passed},
                          {"gain", calibration.gain(layer)},
                          {"classes", std::move(classes)}});
    }
    Json skipped = Json::array();
    for (const SkippedClass& each : calibration.list.skipped) {
        skipped.push_back({{"class", each.name}, {"reason", each.reason}});
    }
    Json fields = {{"base", calibration.list.classes.front().config.name}};
    fields.update(device_json(calibration.kernels.front()));
    fields.update({{"threshold", calibration.options.threshold},
                   {"judged_by", calibration.options.worst_head ? "worst_head_cosine" : "cosine"},
                   {"timing", calibration.measured ? "measured" : "estimated"},
                   {"passed", calibration.passed()},
                   {"layers", std::move(layers)},
                   {"skipped", std::move(skipped)}});
    return fields;
}

std::string layer_plan_text(const Calibration& calibration) {
    LayerPlan plan;
    for (const LayerResult& layer : calibration.layers) {
        plan.layers.push_back({layer.layer, calibration.list.classes[layer.chosen].config.spec});
    }
    Json json = Json::parse(to_json(plan));
    json["made_by"] = fmt::format("sagejit {} calibrate", generator_version());
    for (size_t i = 0; i < calibration.layers.size(); ++i) {
        const LayerResult& layer = calibration.layers[i];
        json["layers"][i]["measured"] = result_json(calibration, layer.classes[layer.chosen]);
        json["layers"][i]["measured"]["passed"] = layer.passed;
    }
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sagejit::cli
