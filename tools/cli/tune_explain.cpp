#include "tune_explain.h"

#include <fmt/format.h>

#include "bench_row.h"

namespace sagejit::cli {
namespace {

constexpr double kPercent = 100;

std::string match_text(const Explanation& explanation) {
    const ChosenPlan& chosen = explanation.chosen;
    switch (chosen.match) {
        case TuningMatch::kNone:
            return "nobody has measured this config on such a GPU: the generator's own choice";
        case TuningMatch::kOtherDevice:
            return fmt::format("measured on {}, another GPU of the same compute capability",
                               chosen.record->device.name);
        case TuningMatch::kOtherShape:
            return fmt::format("measured on this GPU for other sizes: {}",
                               to_text(chosen.record->bucket));
        case TuningMatch::kExact:
            return fmt::format("measured on this GPU for sizes like these: {}",
                               to_text(chosen.record->bucket));
    }
    return {};
}

std::string bounds_text(const Prediction& p) {
    const auto share = [&p](double ms) { return p.attention_ms > 0 ? ms / p.attention_ms : 0; };
    return fmt::format(
        "attention {:.3g} ms, limited by {}; busy: tensor {:.0f} %, exponential {:.0f} %, vector "
        "{:.0f} %, shared memory {:.0f} %, L2 {:.0f} %; {} CTAs a multiprocessor ({:.0f} % of its "
        "threads), {:.2f} waves, {:.0f} % of the last one idle",
        p.attention_ms, to_string(p.limit), kPercent * share(p.tensor_ms),
        kPercent * share(p.exponential_ms), kPercent * share(p.vector_ms),
        kPercent * share(p.shared_ms), kPercent * share(p.cache_ms), p.ctas_per_sm,
        kPercent * p.occupancy, p.waves, kPercent * p.idle_share);
}

std::string measured_text(const TuningRecord& record) {
    std::string text = fmt::format("whole call {:.4g} ms ({:.4g}-{:.4g}), attention {:.4g} ms",
                                   record.whole_call->median, record.whole_call->q1,
                                   record.whole_call->q3, record.attention->median);
    if (record.default_whole_call) {
        const double standard = record.default_whole_call->median;
        text += fmt::format("; the generator's own choice {:.4g} ms, {:.1f} % slower", standard,
                            kPercent * (standard / record.whole_call->median - 1));
    }
    return text + fmt::format("; {} of {} candidates measured on {}", record.measured,
                              record.candidates, record.time);
}

}  // namespace

Explanation explain(const TuneConfig& config, const Sizes& sizes, const TuningStore& store) {
    Explanation explanation;
    explanation.config = &config.config;
    explanation.sizes = &sizes;
    const Spec& spec = config.config.spec;
    explanation.chosen =
        choose_plan(spec, config.target, config.described, sizes.shape, known_records(store));
    explanation.standard = make_plan(spec, config.target);
    explanation.predicted = predict(explanation.chosen.plan, sizes.shape, config.rates);
    explanation.standard_predicted = predict(explanation.standard, sizes.shape, config.rates);
    return explanation;
}

std::string explanation_text(const Explanation& explanation) {
    const ChosenPlan& chosen = explanation.chosen;
    std::string text = fmt::format("{} on {}\n", explanation.config->name, explanation.sizes->text);
    const auto line = [&text](const char* what, const std::string& words) {
        text += fmt::format("  {:<11}{}\n", what, words);
    };
    line("plan", plan_summary(chosen.plan));
    line("match", fmt::format("{}: {}", to_string(chosen.match), match_text(explanation)));
    if (chosen.record) line("measured", measured_text(*chosen.record));
    line("model", bounds_text(explanation.predicted));
    if (plan_choices(chosen.plan) != plan_choices(explanation.standard)) {
        line("default", plan_summary(explanation.standard));
        line("its model", bounds_text(explanation.standard_predicted));
    }
    return text;
}

Json explanation_json(const Explanation& explanation) {
    const ChosenPlan& chosen = explanation.chosen;
    return {{"config", explanation.config->name},
            {"shape", sizes_json(*explanation.sizes)},
            {"plan", plan_summary(chosen.plan)},
            {"choices", Json::parse(plan_choices(chosen.plan))},
            {"match", to_string(chosen.match)},
            {"reason", match_text(explanation)},
            {"default", plan_summary(explanation.standard)},
            {"predicted_ms", explanation.predicted.whole_call_ms},
            {"limit", to_string(explanation.predicted.limit)},
            {"default_predicted_ms", explanation.standard_predicted.whole_call_ms},
            {"record", chosen.record ? Json::parse(to_line(*chosen.record)) : Json(nullptr)}};
}

}  // namespace sagejit::cli
