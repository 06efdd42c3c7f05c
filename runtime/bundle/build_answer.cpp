#include "bundle/build_answer.h"

#include <nlohmann/json.hpp>

namespace sagejit {
namespace {

using Json = nlohmann::json;

Json error_json(const Error& error) {
    return {{"code", static_cast<int>(error.code())},
            {"message", error.message()},
            {"where", error.where()},
            {"fix", error.fix()}};
}

Json entry_json(const CubinEntry& entry) {
    return {entry.symbol,           entry.registers,
            entry.stack_bytes,      entry.spill_store_bytes,
            entry.spill_load_bytes, entry.static_shared_bytes};
}

CubinEntry entry_of(const Json& json) {
    return {json.at(0).get<std::string>(), json.at(1).get<int>(), json.at(2).get<int>(),
            json.at(3).get<int>(),         json.at(4).get<int>(), json.at(5).get<int>()};
}

}  // namespace

// One line of JSON, then the cubin.
std::string encode_answer(const BuildAnswer& answer) {
    Json json;
    if (answer.error) {
        json["error"] = error_json(*answer.error);
    } else {
        json = {{"from_cache", answer.from_cache}, {"compile_ms", answer.compile_ms},
                {"nvrtc", answer.nvrtc},           {"options", answer.options},
                {"libraries", answer.libraries},   {"warnings", answer.cubin.warnings},
                {"entries", Json::array()}};
        for (const CubinEntry& entry : answer.cubin.entries) {
            json["entries"].push_back(entry_json(entry));
        }
    }
    // Logs and paths need not be UTF-8; JSON must.
    std::string bytes = json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    bytes.append(answer.cubin.bytes.begin(), answer.cubin.bytes.end());
    return bytes;
}

BuildAnswer decode_answer(std::string_view bytes) {
    BuildAnswer answer;
    try {
        const size_t end = bytes.find('\n');
        const Json json = Json::parse(bytes.substr(0, end));
        if (json.contains("error")) {
            const Json& error = json.at("error");
            answer.error =
                Error(static_cast<ErrorCode>(error.at("code").get<int>()),
                      error.at("message").get<std::string>(), error.at("where").get<std::string>(),
                      error.at("fix").get<std::string>());
            return answer;
        }
        answer.from_cache = json.at("from_cache").get<bool>();
        answer.compile_ms = json.at("compile_ms").get<double>();
        answer.nvrtc = json.at("nvrtc").get<std::string>();
        answer.options = json.at("options").get<std::vector<std::string>>();
        answer.libraries = json.at("libraries").get<std::vector<std::string>>();
        answer.cubin.warnings = json.at("warnings").get<std::string>();
        for (const Json& entry : json.at("entries")) {
            answer.cubin.entries.push_back(entry_of(entry));
        }
        const std::string_view cubin = bytes.substr(end + 1);
        answer.cubin.bytes.assign(cubin.begin(), cubin.end());
    } catch (const Json::exception& problem) {
        answer = {};
        answer.error = Error(ErrorCode::kInternal,
                             std::string("a worker's answer cannot be read: ") + problem.what());
    }
    return answer;
}

}  // namespace sagejit
