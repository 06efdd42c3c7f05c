#include "nvrtc_record.h"

#include <array>
#include <nlohmann/json.hpp>

#include "bundle/checksum.h"

namespace sagejit {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

std::string checksum_of(const Json& value) {
    const std::string text = value.dump();
    return to_hex(checksum({{reinterpret_cast<const uint8_t*>(text.data()), text.size()}}));
}

Json to_json(const NvrtcRecord& record) {
    const NvrtcInfo& info = record.info;
    return {{"search", record.search},
            {"builtins", record.builtins},
            {"path", info.path},
            {"builtins_path", info.builtins_path},
            {"version", {info.major, info.minor, info.build}},
            {"options", info.options}};
}

NvrtcRecord from_json(const Json& value) {
    NvrtcRecord record;
    value.at("search").get_to(record.search);
    value.at("builtins").get_to(record.builtins);
    value.at("path").get_to(record.info.path);
    value.at("builtins_path").get_to(record.info.builtins_path);
    const auto version = value.at("version").get<std::array<int, 3>>();
    record.info.major = version[0];
    record.info.minor = version[1];
    record.info.build = version[2];
    value.at("options").get_to(record.info.options);
    return record;
}

}  // namespace

std::string encode_records(std::span<const NvrtcRecord> records) {
    try {
        Json list = Json::array();
        for (const NvrtcRecord& record : records) list.push_back(to_json(record));
        const Json whole = {
            {"schema_version", kSchemaVersion}, {"checksum", checksum_of(list)}, {"records", list}};
        return whole.dump(1) + "\n";
    } catch (const Json::exception&) {
        return "";
    }
}

std::vector<NvrtcRecord> decode_records(std::string_view text) {
    try {
        const Json whole = Json::parse(text);
        const Json& list = whole.at("records");
        if (whole.at("schema_version") != kSchemaVersion ||
            whole.at("checksum") != checksum_of(list)) {
            return {};
        }
        std::vector<NvrtcRecord> records;
        for (const Json& value : list) records.push_back(from_json(value));
        return records;
    } catch (const Json::exception&) {
        return {};
    }
}

}  // namespace sagejit
