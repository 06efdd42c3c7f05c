#include "sagejit/generator/layers.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "error_of.h"

namespace sagejit {

TEST_CASE("layers: read, found by name, written, read again") {
    const LayerPlan plan = parse_layer_plan(R"({
        "$schema": "schema.json", "schema_version": 1, "made_by": {"anything": [1]},
        "layers": [
            {"layer": "b", "config": {"head_dim": 64}, "measured": 7},
            {"layer": "a", "config": {"head_dim": 128, "pv": {"type": "int8"},
                                      "qk": {"granularity": "block"}}}
        ]})");
    REQUIRE(plan.layers.size() == 2);
    CHECK(plan.layers[0].layer == "b");  // in the file's order
    CHECK(plan.at("a").pv_type == PvType::kInt8);
    CHECK(plan.at("a").granularity == Granularity::kBlock);
    CHECK(plan.at("b").head_dim == 64);
    CHECK(parse_layer_plan(to_json(plan)) == plan);
    CHECK(parse_layer_plan(to_json(plan, -1)) == plan);
    const Error error = error_of([&] { (void)plan.at("c"); });
    CHECK(error.code() == ErrorCode::kInvalidArgument);
    CHECK(error.fix() == "the layers are: b, a");
}

TEST_CASE("layers: what is wrong is named by its path") {
    const auto where = [](const char* text) {
        const Error error = error_of([&] { (void)parse_layer_plan(text, "file"); });
        CHECK(error.code() == ErrorCode::kInvalidConfig);
        return error.where();
    };
    CHECK(where("") == "file");
    CHECK(where("[1]") == "file");
    CHECK(where(R"({"schema_version": 2, "layers": [{}]})") == "file:/schema_version");
    CHECK(where(R"({"schema_version": 1})") == "file:/layers");
    CHECK(where(R"({"schema_version": 1, "$schema": 1, "layers": [{}]})") == "file:/$schema");
    CHECK(where(R"({"schema_version": 1, "layer": []})") == "file:/layer");
    CHECK(where(R"({"schema_version": 1, "layers": [1]})") == "file:/layers/0");
    CHECK(where(R"({"schema_version": 1, "layers": [{"layer": ""}]})") == "file:/layers/0/layer");
    CHECK(where(R"({"schema_version": 1, "layers": [{"layer": "a"}]})") == "file:/layers/0/config");
    CHECK(
        where(R"({"schema_version": 1, "layers": [{"layer": "a", "config": {"head_dim": 7}}]})") ==
        "file:/layers/0/config:/head_dim");
}

}  // namespace sagejit
