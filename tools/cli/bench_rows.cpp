#include "bench_rows.h"

#include <fmt/format.h>

#include <fstream>

namespace sagejit::cli {
namespace {

// What tables and pages need of a row.
bool is_whole(const Json& row) {
    const auto is_text = [](const Json& object, const char* key) {
        return object.contains(key) && object[key].is_string();
    };
    for (const char* key : {"config", "plan", "device", "device_name"}) {
        if (!is_text(row, key)) return false;
    }
    if (!row.contains("shape") || !row["shape"].is_object()) return false;
    for (const char* key :
         {"batch", "heads_q", "heads_kv", "len_q", "len_k", "head_dim", "head_dim_v"}) {
        if (!row["shape"].contains(key) || !row["shape"][key].is_number_integer()) return false;
    }
    if (row.contains("error")) {
        return row["error"].is_object() && is_text(row["error"], "code") &&
               is_text(row["error"], "message");
    }
    for (const char* column : {"attention", "whole_call"}) {
        if (!row.contains(column) || !row[column].is_object()) return false;
        for (const char* key : {"median_ms", "q1_ms", "q3_ms", "tflops"}) {
            if (!row[column].contains(key) || !row[column][key].is_number()) return false;
        }
    }
    const Json& attention = row["attention"];
    return attention.contains("share_of_peak") &&
           (attention["share_of_peak"].is_null() || attention["share_of_peak"].is_number());
}

}  // namespace

Json read_bench_rows(const std::vector<std::string>& files) {
    Json rows = Json::array();
    for (const std::string& name : files) {
        std::ifstream file(name);
        if (!file) throw Error(ErrorCode::kIo, "cannot be read", name, "name a file of JSON lines");
        size_t number = 0;
        for (std::string line; std::getline(file, line);) {
            ++number;
            if (line.empty()) continue;
            Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
            const bool is_row = !row.is_discarded() && row.is_object() && row.contains("kind");
            if (is_row && row["kind"] != "bench") continue;
            if (!is_row || !is_whole(row)) {
                throw Error(ErrorCode::kInvalidInput, "is no row of sagejit bench",
                            fmt::format("{}:{}", name, number),
                            "name files that sagejit bench --jsonl wrote");
            }
            rows.push_back(std::move(row));
        }
        if (file.bad()) throw Error(ErrorCode::kIo, "cannot be read", name, "");
    }
    return rows;
}

}  // namespace sagejit::cli
