#include "sagejit/generator/layers.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "sagejit/generator/error.h"

namespace sagejit {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

[[noreturn]] void refuse(std::string_view origin, const std::string& path, std::string message,
                         std::string fix = {}) {
    throw Error(ErrorCode::kInvalidConfig, std::move(message),
                std::string(origin) + (path.empty() ? "" : ":" + path), std::move(fix));
}

// Parses text whose objects have no key twice.
Json parse_strictly(std::string_view text, std::string_view origin) {
    std::vector<std::set<std::string>> keys;
    const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
        switch (event) {
            case Json::parse_event_t::object_start:
                keys.emplace_back();
                break;
            case Json::parse_event_t::object_end:
                keys.pop_back();
                break;
            case Json::parse_event_t::key:
                if (!keys.back().insert(parsed.get<std::string>()).second) {
                    refuse(origin, "", "has the key \"" + parsed.get<std::string>() + "\" twice",
                           "keep one");
                }
                break;
            case Json::parse_event_t::array_start:
            case Json::parse_event_t::array_end:
            case Json::parse_event_t::value:
                break;
        }
        return true;
    };
    try {
        return Json::parse(text, watch);
    } catch (const Json::parse_error& error) {
        refuse(origin, "", "is not JSON, at byte " + std::to_string(error.byte),
               "write plain JSON, as sagejit calibrate does");
    }
}

void check_keys(const Json& object, std::initializer_list<std::string_view> known,
                std::string_view origin, const std::string& path) {
    if (!object.is_object()) refuse(origin, path, "must be an object");
    for (const auto& [key, value] : object.items()) {
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        std::string list;
        for (const std::string_view word : known)
            list += (list.empty() ? "" : ", ") + std::string(word);
        refuse(origin, path + "/" + key, "unknown key; there may be " + list);
    }
}

}  // namespace

const Spec& LayerPlan::at(std::string_view layer) const {
    std::string names;
    for (const LayerSpec& each : layers) {
        if (each.layer == layer) return each.spec;
        names += (names.empty() ? "" : ", ") + each.layer;
    }
    throw Error(ErrorCode::kInvalidArgument, "there is no layer \"" + std::string(layer) + "\"",
                "layer", "the layers are: " + names);
}

LayerPlan parse_layer_plan(std::string_view json_text, std::string_view origin) {
    const Json json = parse_strictly(json_text, origin);
    check_keys(json, {"$schema", "schema_version", "made_by", "layers"}, origin, "");
    if (json.contains("$schema") && !json["$schema"].is_string()) {
        refuse(origin, "/$schema", "must be a text");
    }
    if (!json.contains("schema_version") || json["schema_version"] != kSchemaVersion) {
        refuse(origin, "/schema_version", "must be 1", "calibrate again with this version");
    }
    if (!json.contains("layers") || !json["layers"].is_array() || json["layers"].empty()) {
        refuse(origin, "/layers", "must be an array of at least one layer");
    }
    LayerPlan plan;
    for (size_t i = 0; i < json["layers"].size(); ++i) {
        const Json& entry = json["layers"][i];
        const std::string path = "/layers/" + std::to_string(i);
        check_keys(entry, {"layer", "config", "measured"}, origin, path);
        if (!entry.contains("layer") || !entry["layer"].is_string() ||
            entry["layer"].get_ref<const std::string&>().empty()) {
            refuse(origin, path + "/layer", "must be the layer's name");
        }
        if (!entry.contains("config")) refuse(origin, path + "/config", "is missing");
        LayerSpec layer{entry["layer"], {}};
        const auto same = [&](const LayerSpec& other) { return other.layer == layer.layer; };
        if (std::any_of(plan.layers.begin(), plan.layers.end(), same)) {
            refuse(origin, path + "/layer", "\"" + layer.layer + "\" appears more than once",
                   "keep one");
        }
        layer.spec =
            parse_spec(entry["config"].dump(), std::string(origin) + ":" + path + "/config");
        plan.layers.push_back(std::move(layer));
    }
    return plan;
}

std::string to_json(const LayerPlan& plan, int indent) {
    Json layers = Json::array();
    for (const LayerSpec& layer : plan.layers) {
        layers.push_back({{"layer", layer.layer}, {"config", Json::parse(to_json(layer.spec))}});
    }
    const Json json = {{"schema_version", kSchemaVersion}, {"layers", std::move(layers)}};
    return json.dump(indent);
}

}  // namespace sagejit
