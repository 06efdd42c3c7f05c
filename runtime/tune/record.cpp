#include "tune/record.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace sagejit {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;
constexpr const char* kKind = "tuning";

Json time_json(const std::optional<RecordedTime>& time) {
    if (!time) return nullptr;
    return {{"median_ms", time->median},
            {"q1_ms", time->q1},
            {"q3_ms", time->q3},
            {"samples", time->samples}};
}

// A number that is finite and not negative; anything else makes the record invalid.
double number(const Json& value) {
    const auto result = value.get<double>();
    if (!std::isfinite(result) || result < 0) throw std::invalid_argument("number");
    return result;
}

int64_t size(const Json& value) {
    const auto result = value.get<int64_t>();
    if (result < 0) throw std::invalid_argument("size");
    return result;
}

std::optional<RecordedTime> read_time(const Json& value) {
    if (value.is_null()) return std::nullopt;
    return RecordedTime{number(value.at("median_ms")), number(value.at("q1_ms")),
                        number(value.at("q3_ms")), static_cast<size_t>(size(value.at("samples")))};
}

Json bucket_json(const ShapeBucket& bucket) {
    return {{"rows", bucket.rows}, {"len_q", bucket.len_q}, {"len_k", bucket.len_k}};
}

// Only what bucket_of can have made.
ShapeBucket read_bucket(const Json& value) {
    const auto power = [&value](const char* name) {
        const int64_t result = size(value.at(name));
        if (result < 1 || (result & (result - 1)) != 0) throw std::invalid_argument(name);
        return result;
    };
    return {power("rows"), power("len_q"), power("len_k")};
}

Json shape_json(const Shape& shape) {
    return {{"batch", shape.batch},
            {"heads_q", shape.heads_q},
            {"heads_kv", shape.heads_kv},
            {"len_q", shape.len_q},
            {"len_k", shape.len_k}};
}

Shape read_shape(const Json& value) {
    return {size(value.at("batch")), size(value.at("heads_q")), size(value.at("heads_kv")),
            size(value.at("len_q")), size(value.at("len_k"))};
}

TuningRecord read(const Json& json) {
    if (json.at("schema_version") != kSchemaVersion || json.at("kind") != kKind) {
        throw std::invalid_argument("kind");
    }
    TuningRecord record;
    record.identity = json.at("spec").dump();
    record.target = json.at("target").get<std::string>();
    record.choices = json.at("plan").dump();
    const Json& device = json.at("device");
    record.device = {
        device.at("name").get<std::string>(), static_cast<int>(size(device.at("multiprocessors"))),
        device.at("compute_capability").get<std::string>(), device.at("driver").get<std::string>()};
    record.generator = json.at("generator").get<std::string>();
    record.bucket = read_bucket(json.at("bucket"));
    record.shape = read_shape(json.at("shape"));
    const Json& correctness = json.at("correctness");
    record.rel_l1 = number(correctness.at("rel_l1"));
    record.rel_l1_limit = number(correctness.at("limit"));
    record.whole_call = read_time(json.at("whole_call"));
    record.attention = read_time(json.at("attention"));
    record.default_whole_call = read_time(json.at("default_whole_call"));
    record.default_attention = read_time(json.at("default_attention"));
    record.predicted_ms = number(json.at("predicted_ms"));
    record.default_predicted_ms = number(json.at("default_predicted_ms"));
    if (!json.at("sm_clock_mhz").is_null()) record.sm_clock_mhz = number(json.at("sm_clock_mhz"));
    record.estimate = json.at("estimate").get<bool>();
    record.candidates = static_cast<size_t>(size(json.at("candidates")));
    record.measured = static_cast<size_t>(size(json.at("measured")));
    record.time = json.at("time").get<std::string>();
    if (!record.estimate && (!record.whole_call || !record.attention)) {
        throw std::invalid_argument("measured");
    }
    return record;
}

}  // namespace

std::string tuning_identity(Spec spec) {
    spec.name.clear();
    spec.target.reset();
    Json json = Json::parse(to_json(spec));
    json.erase("name");
    return json.dump();
}

std::string plan_choices(const Plan& plan) {
    Json choices = {{"tile_q", plan.tile_q},
                    {"tile_k", plan.tile_k},
                    {"warp_q", plan.warp_q},
                    {"stages", plan.stages}};
    if (plan.cluster_q > 1) choices["cluster_q"] = plan.cluster_q;
    return choices.dump();
}

std::string to_line(const TuningRecord& record) {
    const Json json = {
        {"schema_version", kSchemaVersion},
        {"kind", kKind},
        {"time", record.time},
        {"spec", Json::parse(record.identity)},
        {"target", record.target},
        {"plan", Json::parse(record.choices)},
        {"estimate", record.estimate},
        {"device",
         {{"name", record.device.name},
          {"multiprocessors", record.device.multiprocessors},
          {"compute_capability", record.device.compute_capability},
          {"driver", record.device.driver}}},
        {"generator", record.generator},
        {"bucket", bucket_json(record.bucket)},
        {"shape", shape_json(record.shape)},
        {"correctness", {{"rel_l1", record.rel_l1}, {"limit", record.rel_l1_limit}}},
        {"whole_call", time_json(record.whole_call)},
        {"attention", time_json(record.attention)},
        {"default_whole_call", time_json(record.default_whole_call)},
        {"default_attention", time_json(record.default_attention)},
        {"predicted_ms", record.predicted_ms},
        {"default_predicted_ms", record.default_predicted_ms},
        {"sm_clock_mhz", record.sm_clock_mhz ? Json(*record.sm_clock_mhz) : Json(nullptr)},
        {"candidates", record.candidates},
        {"measured", record.measured}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<TuningRecord> parse_record(std::string_view line) {
    try {
        return read(Json::parse(line));
    } catch (const std::exception&) {  // of the parser, of access, of the checks above
        return std::nullopt;
    }
}

}  // namespace sagejit
