#include "tune_pair.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "bench_row.h"
#include "sagejit/generator/source.h"
#include "stopwatch.h"

namespace sagejit::cli {
namespace {

// Candidates an estimate has executed: for correctness, and to count their instructions.
constexpr size_t kMostChecks = 3;
// Predictions that differ by less are alike: the model knows no better.
constexpr double kAlike = 1.01;

std::string now_utc() {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

RecordedTime recorded(const SampleSummary& ms) { return {ms.median, ms.q1, ms.q3, ms.count}; }

std::vector<double> whole_calls(const std::vector<Prediction>& predictions) {
    std::vector<double> result;
    for (const Prediction& each : predictions) result.push_back(each.whole_call_ms);
    return result;
}

TuningRecord make_record(const TuneConfig& config, const PairOutcome& outcome, size_t winner) {
    TuningRecord record;
    record.identity = tuning_identity(config.config.spec);
    record.target = config.target.name;
    record.choices = plan_choices(outcome.plans[winner]);
    record.device = config.described;
    record.generator = generator_version();
    record.bucket = bucket_of(outcome.sizes->shape);
    record.shape = outcome.sizes->shape;
    record.predicted_ms = outcome.predictions[winner].whole_call_ms;
    record.default_predicted_ms = outcome.predictions[0].whole_call_ms;
    record.estimate = outcome.estimate;
    record.candidates = outcome.plans.size();
    record.time = now_utc();
    for (const auto& [candidate, result] : outcome.results) {
        record.measured += result.status == "measured";
    }
    const CandidateResult& best = outcome.results.at(winner);
    record.rel_l1 = best.rel_l1.value_or(0);
    record.rel_l1_limit = best.rel_l1_limit.value_or(0);
    record.sm_clock_mhz = best.sm_clock_mhz;
    record.device.driver = best.driver;
    if (best.whole_call) record.whole_call = recorded(*best.whole_call);
    if (best.attention) record.attention = recorded(*best.attention);
    const auto standard = outcome.results.find(0);
    if (standard != outcome.results.end() && standard->second.whole_call) {
        record.default_whole_call = recorded(*standard->second.whole_call);
        record.default_attention = recorded(*standard->second.attention);
    }
    return record;
}

// The candidate that prepare takes so far, where that is by a record.
std::vector<size_t> plans_in_use(const TuneConfig& config, const PairOutcome& outcome,
                                 const TuningStore& store) {
    const ChosenPlan chosen = choose_plan(config.config.spec, config.target, config.described,
                                          outcome.sizes->shape, known_records(store));
    if (chosen.match == TuningMatch::kNone) return {};
    const std::string choices = plan_choices(chosen.plan);
    for (size_t i = 0; i < outcome.plans.size(); ++i) {
        if (plan_choices(outcome.plans[i]) == choices) return {i};
    }
    return {};
}

void estimate(PairOutcome& outcome, TuneSession& session, const std::vector<double>& predicted) {
    std::vector<size_t> order(predicted.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return predicted[a] < predicted[b]; });
    // One of those that differ in nothing but stages, which execute the same instructions.
    std::vector<size_t> distinct;
    for (const size_t candidate : order) {
        const auto is_like = [&](size_t other) {
            const Plan &a = outcome.plans[candidate], &b = outcome.plans[other];
            return a.tile_q == b.tile_q && a.tile_k == b.tile_k && a.warp_q == b.warp_q;
        };
        if (distinct.size() == kMostChecks) break;
        if (std::none_of(distinct.begin(), distinct.end(), is_like)) distinct.push_back(candidate);
    }
    order = std::move(distinct);
    session.compile_ahead(order);
    const auto instructions = [&outcome](size_t candidate) {
        return outcome.results.at(candidate).instructions.at("total").get<uint64_t>();
    };
    for (const size_t candidate : order) {
        const CandidateResult result = session.check(candidate);
        outcome.results[candidate] = result;
        if (result.status != "checked") continue;
        auto& winner = outcome.search.winner;
        if (!winner || (predicted[candidate] <= kAlike * predicted[order.front()] &&
                        instructions(candidate) < instructions(*winner))) {
            winner = candidate;
        }
    }
}

// Times of a race into the results and the log, with the attention kernels of the winner and of the
// default, which a record shows, compared in the same way.
void keep_race(PairOutcome& outcome, TuneSession& session, const SearchOptions& options) {
    const Shape& shape = outcome.sizes->shape;
    std::vector<size_t> shown = {0};
    const auto& winner = outcome.search.winner;
    if (winner && *winner != 0) shown.push_back(*winner);
    std::erase_if(shown, [&](size_t i) { return outcome.search.entries[i].turns == 0; });
    const std::vector<SampleSummary> attention =
        shown.empty()
            ? std::vector<SampleSummary>()
            : session.race_attention(shown, shape, options.race.turn_ms, options.race.fewest_turns);
    for (const SearchEntry& entry : outcome.search.entries) {
        if (entry.turns == 0) continue;
        std::optional<SampleSummary> alone;
        for (size_t i = 0; i < attention.size(); ++i) {
            if (shown[i] == entry.candidate) alone = attention[i];
        }
        outcome.results[entry.candidate] = session.keep_raced(entry.candidate, shape, entry, alone);
    }
    session.end_race();
}

void measure(PairOutcome& outcome, TuneSession& session, const std::vector<double>& predicted,
             const SearchOptions& options, std::chrono::steady_clock::time_point deadline,
             const TuneProgress& progress) {
    const Shape& shape = outcome.sizes->shape;
    const std::vector<size_t> order = starters(predicted, options);
    session.compile_ahead(order);
    std::set<size_t> tried;
    std::string best = "-";
    double best_ms = 0;
    const Measure measure_one = [&](size_t candidate, double ms) -> std::optional<Measurement> {
        tried.insert(candidate);
        progress(tried.size(), order.size(), best);
        const CandidateResult& result = session.measure(candidate, shape, ms);
        outcome.results[candidate] = result;
        if (result.status != "measured") return std::nullopt;
        if (best_ms == 0 || result.whole_call->median < best_ms) {
            best_ms = result.whole_call->median;
            best = fmt::format("{} {:.4g} ms", plan_summary(outcome.plans[candidate]), best_ms);
        }
        return Measurement{*result.whole_call, result.ms_asked, result.turns};
    };
    // What is known costs nothing; and without one measurement each of the default and of the plan
    // in use there would be nothing to record.
    const Stop stop = [&](size_t candidate, double ms) {
        if (std::chrono::steady_clock::now() < deadline) return false;
        if (session.knows(candidate, shape, ms)) return false;
        const bool is_early =
            candidate == 0 ||
            std::find(options.early.begin(), options.early.end(), candidate) != options.early.end();
        return !is_early || tried.count(candidate) > 0;
    };
    bool raced = false;
    const MeasureTurn measure_turn = [&](const std::vector<size_t>& racers, double ms) -> Turn {
        if (std::chrono::steady_clock::now() >= deadline) return {};
        progress(tried.size(), order.size(), best);
        raced = true;
        return session.take_turn(racers, shape, ms);
    };
    outcome.search = search(predicted, measure_one, stop, measure_turn, options);
    if (raced) keep_race(outcome, session, options);
}

Json time_json(const std::optional<SampleSummary>& ms) {
    if (!ms) return nullptr;
    return {
        {"median_ms", ms->median}, {"q1_ms", ms->q1}, {"q3_ms", ms->q3}, {"samples", ms->count}};
}

Json prediction_json(const Prediction& prediction) {
    return {{"whole_call_ms", prediction.whole_call_ms},
            {"attention_ms", prediction.attention_ms},
            {"limit", to_string(prediction.limit)},
            {"tensor_ms", prediction.tensor_ms},
            {"exponential_ms", prediction.exponential_ms},
            {"vector_ms", prediction.vector_ms},
            {"shared_memory_ms", prediction.shared_ms},
            {"l2_cache_ms", prediction.cache_ms},
            {"memory_ms", prediction.memory_ms},
            {"occupancy", prediction.occupancy},
            {"waves", prediction.waves},
            {"idle_share", prediction.idle_share}};
}

Json candidate_json(const PairOutcome& outcome, size_t candidate) {
    Json fields = {{"plan", plan_summary(outcome.plans[candidate])},
                   {"choices", Json::parse(plan_choices(outcome.plans[candidate]))},
                   {"predicted", prediction_json(outcome.predictions[candidate])}};
    const auto found = outcome.results.find(candidate);
    if (found == outcome.results.end()) {
        fields["status"] = outcome.estimate ? "predicted" : "pruned";
        const auto& entries = outcome.search.entries;
        if (candidate < entries.size() && !entries[candidate].pruned)
            fields["status"] = "not_reached";
        return fields;
    }
    const CandidateResult& result = found->second;
    const auto optional = [](const auto& value) { return value ? Json(*value) : Json(nullptr); };
    fields.update({{"status", result.status},
                   {"error", result.error},
                   {"measured_for_ms", result.ms_asked},
                   {"turns", result.turns},
                   {"whole_call", time_json(result.whole_call)},
                   {"attention", time_json(result.attention)},
                   {"rel_l1", optional(result.rel_l1)},
                   {"rel_l1_limit", optional(result.rel_l1_limit)},
                   {"sm_clock_mhz", optional(result.sm_clock_mhz)},
                   {"compile_ms", optional(result.compile_ms)},
                   {"registers", optional(result.registers)},
                   {"spill_bytes", optional(result.spill_bytes)},
                   {"instructions", result.instructions},
                   {"resumed", result.resumed}});
    return fields;
}

}  // namespace

size_t PairOutcome::predicted_rank() const {
    if (!search.winner) return 0;
    const double mine = predictions[*search.winner].whole_call_ms;
    return 1 + static_cast<size_t>(std::count_if(
                   predictions.begin(), predictions.end(),
                   [mine](const Prediction& each) { return each.whole_call_ms < mine; }));
}

double PairOutcome::gain() const {
    if (!record) return 0;
    if (estimate) {
        return record->default_predicted_ms > 0
                   ? 1 - record->predicted_ms / record->default_predicted_ms
                   : 0;
    }
    if (!record->whole_call || !record->default_whole_call) return 0;
    return 1 - record->whole_call->median / record->default_whole_call->median;
}

PairOutcome tune_pair(const TuneConfig& config, const Sizes& sizes, TuneSession& session,
                      const TuningStore& store, const SearchOptions& options,
                      std::chrono::steady_clock::time_point deadline,
                      const TuneProgress& progress) {
    Stopwatch stopwatch;
    PairOutcome outcome;
    outcome.config = &config.config;
    outcome.sizes = &sizes;
    outcome.target = config.target.name;
    outcome.estimate = config.device.is_host();
    outcome.plans = session.plans();
    for (const Plan& plan : outcome.plans) {
        outcome.predictions.push_back(predict(plan, sizes.shape, config.rates));
    }
    const std::vector<double> predicted = whole_calls(outcome.predictions);
    if (outcome.estimate) {
        estimate(outcome, session, predicted);
    } else {
        SearchOptions with_known = options;
        with_known.early = plans_in_use(config, outcome, store);
        measure(outcome, session, predicted, with_known, deadline, progress);
    }
    if (outcome.search.winner) {
        outcome.record = make_record(config, outcome, *outcome.search.winner);
        store.append(*outcome.record);
    }
    outcome.seconds = stopwatch.lap() / 1e3;
    return outcome;
}

Json outcome_json(const PairOutcome& outcome) {
    Json candidates = Json::array();
    for (size_t i = 0; i < outcome.plans.size(); ++i) {
        candidates.push_back(candidate_json(outcome, i));
    }
    const auto& winner = outcome.search.winner;
    return {{"config", outcome.config->name},
            {"shape", sizes_json(*outcome.sizes)},
            {"target", outcome.target},
            {"estimate", outcome.estimate},
            {"complete", outcome.search.complete},
            {"seconds", outcome.seconds},
            {"winner", winner ? Json(plan_summary(outcome.plans[*winner])) : Json(nullptr)},
            {"default", plan_summary(outcome.plans[0])},
            {"gain", outcome.gain()},
            {"noise", outcome.search.noise},
            {"predicted_rank", outcome.predicted_rank()},
            {"record", outcome.record ? Json::parse(to_line(*outcome.record)) : Json(nullptr)},
            {"candidates", std::move(candidates)}};
}

}  // namespace sagejit::cli
