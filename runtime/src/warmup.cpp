// Manifests: what to prepare before it is needed.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "registry.h"

namespace sagejit {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

struct Wanted {
    Spec spec;
    std::string device;  // empty: the best one
};

[[noreturn]] void refuse(const std::string& where, const std::string& message) {
    throw Error(ErrorCode::kInvalidInput, message, "manifest" + where,
                "see sagejit/registry.h for what a manifest holds");
}

Wanted parse_line(const Json& line, size_t index) {
    const std::string where = fmt::format("/kernels/{}", index);
    if (!line.is_object() || !line.contains("config"))
        refuse(where, "expected an object with config");
    for (const auto& [key, value] : line.items()) {
        if (key != "config" && key != "device") refuse(where + "/" + key, "is not known");
    }
    Wanted wanted;
    wanted.spec = parse_spec(line.at("config").dump(), "manifest" + where + "/config");
    if (wanted.spec.name.empty()) wanted.spec.name = where.substr(1);
    if (line.contains("device")) {
        if (!line.at("device").is_string()) refuse(where + "/device", "expected a text");
        wanted.device = line.at("device").get<std::string>();
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

WarmupResult warm(const Wanted& wanted, const PrepareOptions& options) {
    WarmupResult result;
    result.config = wanted.spec.name;
    result.device = wanted.device;
    try {
        const Device device = wanted.device.empty() ? Device::best() : Device::parse(wanted.device);
        result.device = device.text();
        result.report = prepare(wanted.spec, device, options).report();
    } catch (const std::exception& error) {
        result.problem = error.what();
    }
    return result;
}

}  // namespace

std::vector<WarmupResult> warmup(std::string_view manifest, const PrepareOptions& options,
                                 int threads) {
    const std::vector<Wanted> wanted = parse_manifest(manifest);
    std::vector<WarmupResult> results(wanted.size());
    std::atomic<size_t> next = 0;
    const auto work = [&] {
        for (size_t index = next++; index < wanted.size(); index = next++) {
            results[index] = warm(wanted[index], options);
        }
    };
    const size_t processors = std::max(1u, std::thread::hardware_concurrency());
    const size_t count =
        std::min(wanted.size(), threads > 0 ? static_cast<size_t>(threads) : processors);
    std::vector<std::jthread> workers;
    for (size_t i = 1; i < count; ++i) workers.emplace_back(work);
    work();
    workers.clear();  // joins
    return results;
}

std::string prepared_manifest() {
    Json kernels = Json::array();
    for (const auto& [spec, device] : prepared_kernels()) {
        kernels.push_back({{"config", Json::parse(to_json(spec, -1))}, {"device", device.text()}});
    }
    return Json{{"schema_version", kSchemaVersion}, {"kernels", kernels}}.dump(2) + "\n";
}

}  // namespace sagejit
