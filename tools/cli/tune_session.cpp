#include "tune_session.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

#include "sagejit/generator/source.h"

namespace sagejit::cli {
namespace {

using std::chrono::seconds;

constexpr const char* kLogKind = "tune_measurement";

std::vector<int64_t> shape_list(const Shape& shape) {
    return {shape.batch, shape.heads_q, shape.heads_kv, shape.len_q, shape.len_k};
}

std::string shape_key(const Shape& shape) { return Json(shape_list(shape)).dump(); }

std::string now_utc() {
    const auto now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

SampleSummary read_summary(const Json& json) {
    return {json.at("median_ms").get<double>(), json.at("q1_ms").get<double>(),
            json.at("q3_ms").get<double>(),     json.at("min_ms").get<double>(),
            json.at("max_ms").get<double>(),    json.at("samples").get<size_t>()};
}

Json summary_json(const std::optional<SampleSummary>& ms) {
    if (!ms) return nullptr;
    return {{"median_ms", ms->median}, {"q1_ms", ms->q1},   {"q3_ms", ms->q3},
            {"min_ms", ms->min},       {"max_ms", ms->max}, {"samples", ms->count}};
}

template <typename Value>
std::optional<Value> optional_at(const Json& json, const char* name) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) return std::nullopt;
    return found->get<Value>();
}

Json optional_json(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

// True, with the result marked, when the answer is an error.
bool take_error(const Json& answer, CandidateResult& result) {
    const auto error = answer.find("error");
    if (error == answer.end()) return false;
    result.status = (*error)["code"].get<std::string>();
    result.error = (*error)["message"].get<std::string>();
    return true;
}

CandidateResult read_log_row(const Json& row) {
    CandidateResult result;
    result.status = row.at("status").get<std::string>();
    result.error = row.at("error").get<std::string>();
    result.ms_asked = row.at("ms_asked").get<double>();
    result.turns = row.value("turns", size_t{0});
    if (!row.at("whole_call").is_null()) result.whole_call = read_summary(row.at("whole_call"));
    if (!row.at("attention").is_null()) result.attention = read_summary(row.at("attention"));
    result.rel_l1 = optional_at<double>(row, "rel_l1");
    result.rel_l1_limit = optional_at<double>(row, "rel_l1_limit");
    result.sm_clock_mhz = optional_at<double>(row, "sm_clock_mhz");
    result.compile_ms = optional_at<double>(row, "compile_ms");
    result.registers = optional_at<double>(row, "registers");
    result.spill_bytes = optional_at<double>(row, "spill_bytes");
    result.driver = row.at("driver").get<std::string>();
    result.resumed = true;
    return result;
}

}  // namespace

TuneSession::TuneSession(TuneSubject subject, std::vector<Plan> plans, TunedDevice device,
                         const TuningStore& store, int jobs, bool again, TuneTimeouts timeouts)
    : subject_(std::move(subject)),
      plans_(std::move(plans)),
      device_(std::move(device)),
      store_(store),
      again_(again),
      timeouts_(timeouts),
      measuring_(subject_) {
    for (const Plan& plan : plans_) hashes_.push_back(emit(plan).hash);
    for (int i = 0; i < jobs; ++i) compilers_.emplace_back([this] { compile_loop(); });
}

TuneSession::~TuneSession() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
        queue_.clear();
    }
    changed_.notify_all();
    for (std::thread& thread : compilers_) thread.join();
}

void TuneSession::compile_loop() {
    TuneWorker worker(subject_);
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
        if (closing_) return;
        const size_t candidate = queue_.front();
        queue_.pop_front();
        lock.unlock();
        Json answer;
        try {
            answer = worker.ask({{"do", "compile"}, {"candidate", candidate}}, timeouts_.compile);
        } catch (const Error& error) {
            answer = {{"error", {{"code", to_string(error.code())}, {"message", error.what()}}}};
        }
        lock.lock();
        compiled_[candidate] = std::move(answer);
        changed_.notify_all();
    }
}

void TuneSession::compile_ahead(const std::vector<size_t>& order) {
    {
        const std::lock_guard lock(mutex_);
        for (const size_t candidate : order) {
            if (queued_.insert(candidate).second) queue_.push_back(candidate);
        }
    }
    changed_.notify_all();
}

Json TuneSession::compiled(size_t candidate) {
    compile_ahead({candidate});
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return compiled_.count(candidate) > 0; });
    return compiled_[candidate];
}

Json TuneSession::key(size_t candidate, const Shape& shape) const {
    return {{"spec", Json::parse(tuning_identity(subject_.spec))},
            {"target", subject_.target},
            {"plan", Json::parse(plan_choices(plans_[candidate]))},
            {"hash", hashes_[candidate]},
            {"device", device_.name},
            {"multiprocessors", device_.multiprocessors},
            {"shape", shape_list(shape)}};
}

// The log's rows for that shape; of each candidate the last race, or the longest measurement.
TuneSession::Results& TuneSession::load(const Shape& shape) {
    const std::string name = shape_key(shape);
    if (const auto known = by_shape_.find(name); known != by_shape_.end()) return known->second;
    Results& results = by_shape_[name];
    if (again_) return results;
    std::map<std::string, size_t> candidates_by_key;
    for (size_t i = 0; i < plans_.size(); ++i) candidates_by_key[key(i, shape).dump()] = i;
    for (const std::string& line : store_.lines(TuningStore::kMeasurements)) {
        const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
        try {
            if (row.is_discarded() || row.at("kind") != kLogKind) continue;
            const auto found = candidates_by_key.find(row.at("key").dump());
            if (found == candidates_by_key.end()) continue;
            CandidateResult result = read_log_row(row);
            // Of a version that timed such code.
            if (result.status == "measured" && result.spill_bytes.value_or(0) > 0) continue;
            CandidateResult& known = results[found->second];
            const bool better = result.turns > 0 || known.turns == 0;
            if (known.status.empty() ||
                (better && (result.turns > 0 || result.ms_asked >= known.ms_asked))) {
                known = std::move(result);
            }
        } catch (const Json::exception&) {  // a damaged row: measured again
        }
    }
    return results;
}

const TuneSession::Results& TuneSession::results(const Shape& shape) { return load(shape); }

void TuneSession::log(size_t candidate, const Shape& shape, const CandidateResult& result) const {
    const Json row = {{"kind", kLogKind},
                      {"time", now_utc()},
                      {"sagejit", generator_version()},
                      {"key", key(candidate, shape)},
                      {"status", result.status},
                      {"error", result.error},
                      {"ms_asked", result.ms_asked},
                      {"turns", result.turns},
                      {"whole_call", summary_json(result.whole_call)},
                      {"attention", summary_json(result.attention)},
                      {"rel_l1", optional_json(result.rel_l1)},
                      {"rel_l1_limit", optional_json(result.rel_l1_limit)},
                      {"sm_clock_mhz", optional_json(result.sm_clock_mhz)},
                      {"compile_ms", optional_json(result.compile_ms)},
                      {"registers", optional_json(result.registers)},
                      {"spill_bytes", optional_json(result.spill_bytes)},
                      {"driver", result.driver}};
    std::string line = json_line(row);
    line.pop_back();  // the newline
    store_.append(TuningStore::kMeasurements, line);
}

CandidateResult TuneSession::check(size_t candidate) {
    if (const auto known = checked_.find(candidate); known != checked_.end()) return known->second;
    CandidateResult result;
    const Json compilation = compiled(candidate);
    if (!take_error(compilation, result)) {
        result.compile_ms = optional_at<double>(compilation, "compile_ms");
        result.registers = optional_at<double>(compilation, "registers");
        result.spill_bytes = optional_at<double>(compilation, "spill_bytes");
        const std::string slow = compilation.value("slow_code", "");
        if (!slow.empty()) {  // prepare would not take it, so its time is of no use
            result.status = "slow_code";
            result.error = slow;
            return checked_[candidate] = result;
        }
        const Json answer =
            measuring_.ask({{"do", "check"}, {"candidate", candidate}}, timeouts_.check);
        if (!take_error(answer, result)) {
            result.rel_l1 = optional_at<double>(answer, "rel_l1");
            result.rel_l1_limit = optional_at<double>(answer, "limit");
            result.instructions = answer.at("instructions");
            result.status = answer.at("passed").get<bool>() ? "checked" : "wrong";
            for (const Json& failure : answer.at("failures")) {
                result.error += (result.error.empty() ? "" : "; ") + failure.get<std::string>();
            }
        }
    }
    return checked_[candidate] = result;
}

bool TuneSession::knows(size_t candidate, const Shape& shape, double ms) {
    const Results& results = load(shape);
    const auto known = results.find(candidate);
    return known != results.end() && (known->second.status != "measured" ||
                                      known->second.turns > 0 || known->second.ms_asked >= ms);
}

const CandidateResult& TuneSession::measure(size_t candidate, const Shape& shape, double ms) {
    Results& results = load(shape);
    if (knows(candidate, shape, ms)) return results.at(candidate);
    CandidateResult result = check(candidate);
    result.ms_asked = ms;
    if (result.status == "checked") {
        const auto timeout =
            timeouts_.measure + std::chrono::milliseconds(static_cast<int64_t>(ms));
        const Json answer = measuring_.ask(
            {{"do", "measure"}, {"candidate", candidate}, {"shape", shape_list(shape)}, {"ms", ms}},
            timeout);
        if (!take_error(answer, result)) {
            result.status = "measured";
            result.whole_call = read_summary(answer.at("whole_call"));
            result.attention = read_summary(answer.at("attention"));
            result.sm_clock_mhz = optional_at<double>(answer, "sm_clock_mhz");
            result.driver = answer.at("driver").get<std::string>();
        }
    }
    log(candidate, shape, result);
    return results[candidate] = result;
}

Json TuneSession::ask_turn(const std::vector<size_t>& order, const Shape& shape, double ms,
                           bool attention) {
    const auto timeout =
        timeouts_.measure +
        std::chrono::milliseconds(static_cast<int64_t>(2 * ms * static_cast<double>(order.size())));
    return measuring_.ask({{"do", "turn"},
                           {"candidates", order},
                           {"shape", shape_list(shape)},
                           {"ms", ms},
                           {"attention", attention}},
                          timeout);
}

Turn TuneSession::take_turn(const std::vector<size_t>& order, const Shape& shape, double ms) {
    const Json answer = ask_turn(order, shape, ms, /*attention=*/false);
    if (answer.find("error") != answer.end()) return {};
    Turn turn;
    for (const Json& each : answer.at("ms")) turn.ms.emplace_back(each.get<double>());
    turn.spent_ms = answer.at("spent_ms").get<double>();
    const auto clock = optional_at<double>(answer, "sm_clock_mhz");
    if (clock) clocks_.push_back(*clock);
    return turn;
}

std::vector<SampleSummary> TuneSession::race_attention(const std::vector<size_t>& order,
                                                       const Shape& shape, double ms,
                                                       size_t turns) {
    std::vector<std::vector<double>> times(order.size());
    for (size_t turn = 0; turn < turns; ++turn) {
        const Json answer = ask_turn(order, shape, ms, /*attention=*/true);
        if (answer.find("error") != answer.end()) return {};
        for (size_t i = 0; i < order.size(); ++i) {
            times[i].push_back(answer.at("ms").at(i).get<double>());
        }
    }
    std::vector<SampleSummary> summaries;
    for (std::vector<double>& each : times) summaries.push_back(summarize(std::move(each)));
    return summaries;
}

const CandidateResult& TuneSession::keep_raced(size_t candidate, const Shape& shape,
                                               const SearchEntry& entry,
                                               const std::optional<SampleSummary>& attention) {
    CandidateResult& result = load(shape)[candidate];
    result.ms_asked = entry.measured_ms;
    result.turns = entry.turns;
    result.whole_call = entry.ms;
    if (attention) result.attention = attention;
    if (!clocks_.empty()) result.sm_clock_mhz = summarize(clocks_).median;
    result.resumed = false;
    log(candidate, shape, result);
    return result;
}

}  // namespace sagejit::cli
