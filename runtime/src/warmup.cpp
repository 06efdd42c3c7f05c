// Manifests: what to prepare before it is needed.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "registry.h"

namespace sagejit {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

struct Wanted {
    Spec spec;
    std::string device;         // empty: the best one
    std::vector<Shape> shapes;  // empty: for no sizes in particular
};

// One of its preparations.
struct Task {
    const Wanted* wanted;
    std::optional<Shape> shape;
};

[[noreturn]] void refuse(const std::string& where, const std::string& message) {
    throw Error(ErrorCode::kInvalidInput, message, "manifest" + where,
                "see sagejit/registry.h for what a manifest holds");
}

Shape parse_shape(const Json& json, const std::string& where) {
    constexpr int64_t kMost = int64_t{1} << 40;
    Shape shape;
    const std::pair<const char*, int64_t*> members[] = {{"batch", &shape.batch},
                                                        {"heads_q", &shape.heads_q},
                                                        {"heads_kv", &shape.heads_kv},
                                                        {"len_q", &shape.len_q},
                                                        {"len_k", &shape.len_k}};
    if (!json.is_object() || json.size() != std::size(members)) {
        refuse(where, "expected batch, heads_q, heads_kv, len_q and len_k");
    }
    for (const auto& [name, value] : members) {
        const auto found = json.find(name);
        if (found == json.end() || !found->is_number_integer() || *found < 1 || *found > kMost) {
            refuse(where + "/" + name, fmt::format("expected a whole number from 1 to {}", kMost));
        }
        *value = found->get<int64_t>();
    }
    if (shape.heads_q % shape.heads_kv != 0) {
        refuse(where + "/heads_q", "expected a multiple of heads_kv");
    }
    return shape;
}

Wanted parse_line(const Json& line, size_t index) {
    const std::string where = fmt::format("/kernels/{}", index);
    if (!line.is_object() || !line.contains("config"))
        refuse(where, "expected an object with config");
    for (const auto& [key, value] : line.items()) {
        if (key != "config" && key != "device" && key != "shapes")
            refuse(where + "/" + key, "is not known");
    }
    Wanted wanted;
    wanted.spec = parse_spec(line.at("config").dump(), "manifest" + where + "/config");
    if (wanted.spec.name.empty()) wanted.spec.name = where.substr(1);
    if (line.contains("device")) {
        if (!line.at("device").is_string()) refuse(where + "/device", "expected a text");
        wanted.device = line.at("device").get<std::string>();
    }
    if (line.contains("shapes")) {
        const Json& shapes = line.at("shapes");
        if (!shapes.is_array()) refuse(where + "/shapes", "expected an array");
        for (const Json& shape : shapes) {
            wanted.shapes.push_back(
                parse_shape(shape, fmt::format("{}/shapes/{}", where, wanted.shapes.size())));
        }
    }
    return wanted;
}

std::vector<Wanted> parse_manifest(std::string_view text) {
    const Json manifest = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (manifest.is_discarded() || !manifest.is_object()) refuse("", "expected a JSON object");
    for (const auto& [key, value] : manifest.items()) {
        if (key != "schema_version" && key != "kernels") refuse("/" + key, "is not known");
    }
    if (!manifest.contains("schema_version") || manifest.at("schema_version") != kSchemaVersion) {
        refuse("/schema_version", fmt::format("expected {}", kSchemaVersion));
    }
    if (!manifest.contains("kernels") || !manifest.at("kernels").is_array()) {
        refuse("/kernels", "expected an array");
    }
    std::vector<Wanted> wanted;
    for (const Json& line : manifest.at("kernels")) {
        wanted.push_back(parse_line(line, wanted.size()));
    }
    return wanted;
}

Device device_of(const Wanted& wanted) {
    return wanted.device.empty() ? Device::best() : Device::parse(wanted.device);
}

WarmupResult warm(const Task& task, const PrepareOptions& options) {
    const Wanted& wanted = *task.wanted;
    WarmupResult result;
    result.config = wanted.spec.name;
    result.device = wanted.device;
    result.shape = task.shape;
    try {
        const Device device = device_of(wanted);
        result.device = device.text();
        PrepareOptions for_shape = options;
        if (task.shape) for_shape.shape = task.shape;
        const Kernel kernel = prepare(wanted.spec, device, for_shape);
        if (task.shape) keep_for_sizes(wanted.spec, device, *task.shape, kernel);
        result.report = kernel.report();
    } catch (const std::exception& error) {
        result.problem = error.what();
    }
    return result;
}

}  // namespace

std::vector<WarmupResult> warmup(std::string_view manifest, const PrepareOptions& options,
                                 int threads) {
    const std::vector<Wanted> wanted = parse_manifest(manifest);
    std::vector<Task> tasks;
    for (const Wanted& each : wanted) {
        if (each.shapes.empty()) tasks.push_back({&each, std::nullopt});
        for (const Shape& shape : each.shapes) tasks.push_back({&each, shape});
    }
    std::vector<WarmupResult> results(tasks.size());
    std::atomic<size_t> next = 0;
    const auto work = [&] {
        for (size_t index = next++; index < tasks.size(); index = next++) {
            results[index] = warm(tasks[index], options);
        }
    };
    const size_t processors = std::max(1u, std::thread::hardware_concurrency());
    const size_t count =
        std::min(tasks.size(), threads > 0 ? static_cast<size_t>(threads) : processors);
    std::vector<std::jthread> workers;
    for (size_t i = 1; i < count; ++i) workers.emplace_back(work);
    work();
    workers.clear();  // joins
    // A launch by spec takes what was prepared last. The code is loaded already.
    for (const Wanted& each : wanted) {
        if (each.shapes.size() > 1) warm({&each, each.shapes.front()}, options);
    }
    return results;
}

std::string prepared_manifest() {
    Json kernels = Json::array();
    for (const PreparedSpec& prepared : prepared_kernels()) {
        Json line = {{"config", Json::parse(to_json(prepared.spec, -1))},
                     {"device", prepared.device.text()}};
        for (const ShapeBucket& bucket : prepared.buckets) {
            // Any shape of the bucket stands for it.
            line["shapes"].push_back({{"batch", 1},
                                      {"heads_q", bucket.rows},
                                      {"heads_kv", bucket.rows},
                                      {"len_q", bucket.len_q},
                                      {"len_k", bucket.len_k}});
        }
        kernels.push_back(std::move(line));
    }
    return Json{{"schema_version", kSchemaVersion}, {"kernels", kernels}}.dump(2) + "\n";
}

}  // namespace sagejit
