#include "sagejit/generator/spec.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "sagejit/generator/error.h"
#include "sagejit/generator/target.h"
#include "spec_corpus.h"

using namespace sagejit;
using namespace sagejit::test;
using nlohmann::json;

namespace {

template <class Call>
Error error_of(const Call& call) {
    try {
        call();
    } catch (const Error& error) {
        return error;
    }
    FAIL("accepted");
    throw std::logic_error("FAIL returned");
}

Error parse_error(const std::string& text, const std::string& origin = "my.json") {
    INFO(text);
    return error_of([&] { parse_spec(text, origin); });
}

void check_round_trip(const Spec& spec) {
    validate(spec);
    const std::string text = to_json(spec);
    CHECK(parse_spec(text) == spec);
    CHECK(to_json(parse_spec(text)) == text);
    const std::string line = to_json(spec, -1);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(parse_spec(line) == spec);
}

// Checks the keys of one schema object against the parser and returns how many defaults it states.
int check_schema_object(const json& object, const std::string& path, const json& canonical) {
    int defaults = 0;
    for (const auto& item : object.at("properties").items()) {
        const json& rule = item.value();
        const std::string at = path + "/" + item.key();
        INFO(at);
        CHECK(rule.value("description", "").size() > 10);
        const json::json_pointer pointer(at);
        if (rule.contains("default")) {
            CHECK(canonical.at(pointer) == rule["default"]);
            ++defaults;
        }
        if (rule.contains("properties")) defaults += check_schema_object(rule, at, canonical);
        // Each listed value alone is legal, unless an earlier key narrows it.
        if (at == "/pv/accumulation" || !rule.contains("enum")) continue;
        for (const json& value : rule["enum"]) {
            json config = {{"head_dim", 64}};
            config[pointer] = value;
            if (at == "/pv/type" && value == "bf16") config["dtype"] = "bf16";
            CHECK_NOTHROW(parse_spec(config.dump()));
        }
    }
    return defaults;
}

}  // namespace

TEST_CASE("spec: shipped configs parse and are named after their files") {
    const std::vector<File> files = shipped();
    CHECK(files.size() >= 12);
    for (const File& file : files) {
        INFO(file.name);
        const Spec spec = parse_spec(file.text, file.name);
        CHECK(spec.name + ".json" == file.name);
        check_round_trip(spec);
    }
}

TEST_CASE("spec: the parser accepts the accept corpus") {
    const std::vector<File> files = corpus("accept");
    CHECK(files.size() >= 25);
    for (const File& file : files) {
        INFO(file.name);
        check_round_trip(parse_spec(file.text, file.name));
    }
}

TEST_CASE("spec: the parser refuses the refuse corpus with a place, a rule and a fix") {
    std::vector<File> files = corpus("refuse");
    CHECK(files.size() >= 60);
    const std::vector<File> texts = corpus("refuse_text");
    CHECK(texts.size() >= 20);
    files.insert(files.end(), texts.begin(), texts.end());
    for (const File& file : files) {
        INFO(file.name);
        const Error error = parse_error(file.text, file.name);
        CHECK(error.code() == ErrorCode::kInvalidConfig);
        CHECK(error.where().starts_with(file.name));
        CHECK_FALSE(error.message().empty());
        CHECK_FALSE(error.fix().empty());
        CHECK(is_printable_ascii(error.what()));
        CHECK(std::string(error.what()).size() < 600);
    }
}

// Every file of the refuse corpus has one fault, so its proposal must lead to a legal config.
TEST_CASE("spec: a proposed value is accepted in its place") {
    int proposals = 0;
    for (const File& file : corpus("refuse")) {
        const Error error = parse_error(file.text, "f");
        INFO(error.what());
        if (!error.message().starts_with("must be") || error.where() == "f") continue;
        REQUIRE(error.fix().starts_with("use "));
        json config = json::parse(file.text);
        config[json::json_pointer(error.where().substr(2))] = json::parse(error.fix().substr(4));
        check_round_trip(parse_spec(config.dump(), "f"));
        ++proposals;
    }
    CHECK(proposals > 60);
}

TEST_CASE("spec: errors name the path and the nearest legal value") {
    struct Expected {
        std::string text, where, message, fix;
    };
    const std::string head_dims = "must be a multiple of 8 from 32 to 256, not ";
    const std::vector<Expected> cases = {
        {R"({"head_dim": 100})", "my.json:/head_dim", head_dims + "100", "use 96"},
        {R"({"head_dim": 101.5})", "my.json:/head_dim", head_dims + "101.5", "use 104"},
        {R"({"head_dim": -7})", "my.json:/head_dim", head_dims + "-7", "use 32"},
        {R"({"head_dim": 1e300})", "my.json:/head_dim", head_dims + "1e300", "use 256"},
        {R"({"head_dim": "80"})", "my.json:/head_dim", head_dims + "\"80\"", "use 80"},
        {R"({"head_dim": null})", "my.json:/head_dim", head_dims + "null", "use 128"},
        {R"({"head_dim": 64, "head_dim_v": []})", "my.json:/head_dim_v", head_dims + "an array",
         "use 64"},
        {R"({})", "my.json:/head_dim", R"("head_dim" is required)", R"(add "head_dim": 128)"},
        {R"([])", "my.json", "must be an object, not an array", R"(use {"head_dim": 128})"},
        {R"({"head_dim": 64, "dtype": "BF16"})", "my.json:/dtype",
         R"(must be one of "fp16", "bf16", not "BF16")", R"(use "bf16")"},
        {R"({"head_dim": 64, "dtype": "bf16", "output_dtype": 1.5})", "my.json:/output_dtype",
         R"(must be one of "fp16", "bf16", not 1.5)", R"(use "fp16")"},
        {R"({"head_dim": 64, "dtype": "bf16", "output_dtype": null})", "my.json:/output_dtype",
         R"(must be one of "fp16", "bf16", not null)", R"(use "bf16")"},
        {R"({"head_dim": 64, "causal": "bottom-rihgt"})", "my.json:/causal",
         R"(must be one of "none", "top_left", "bottom_right", not "bottom-rihgt")",
         R"(use "bottom_right")"},
        {R"({"head_dim": 64, "qk": {"type": "int4"}})", "my.json:/qk/type",
         R"(must be "int8", not "int4")", R"(use "int8")"},
        {R"({"head_dim": 64, "qk": {"granularity": "blok"}})", "my.json:/qk/granularity",
         R"(must be one of "tensor", "token", "block", "warp", "thread", not "blok")",
         R"(use "block")"},
        {R"({"head_dim": 64, "qk": {"smooth_k": "Off"}})", "my.json:/qk/smooth_k",
         R"(must be true or false, not "Off")", "use false"},
        {R"({"head_dim": 64, "qk": 8})", "my.json:/qk", "must be an object, not 8", "use {}"},
        {R"({"head_dim": 64, "pv": {"accumulation": "fp32", "type": "int8"}})",
         "my.json:/pv/accumulation",
         R"(must be "fp32_promote_int32" with "type": "int8", not "fp32")",
         R"(use "fp32_promote_int32")"},
        {R"({"head_dim": 64, "pv": {"accumulation": "fp32_promote_int32"}})",
         "my.json:/pv/accumulation",
         R"(must be one of "fp32", "fp16", "fp32_promote_fp16" with "type": "fp16", )"
         R"(not "fp32_promote_int32")",
         R"(use "fp32_promote_fp16")"},
        {R"({"head_dim": 64, "pv": {"type": "fp8_e4m3", "accumulation": "fp16"}})",
         "my.json:/pv/accumulation",
         R"(must be one of "fp32_promote_fp32", "fp32" with "type": "fp8_e4m3", not "fp16")",
         R"(use "fp32")"},
        {R"({"head_dim": 64, "pv": {"smooth_v": true}})", "my.json:/pv/smooth_v",
         R"(must be false with "type": "fp16", not true)", "use false"},
        {R"({"head_dim": 64, "tile": {"tile_q": 100}})", "my.json:/tile/tile_q",
         "must be one of 32, 64, 128, 192, 256, not 100", "use 128"},
        {R"({"head_dim": 64, "tile": {"tile_k": 250}})", "my.json:/tile/tile_k",
         "must be a multiple of 16 from 32 to 256, not 250", "use 256"},
        {R"({"head_dim": 64, "pv": {"type": "bf16"}})", "my.json:/pv/type",
         R"(must be one of "fp16", "int8", "fp8_e4m3" with "dtype": "fp16", not "bf16")",
         R"(use "fp16")"},
        {R"({"head_dim": 64, "dtype": "bf16", "pv": {"type": "bf16", "accumulation": "fp16"}})",
         "my.json:/pv/accumulation", R"(must be "fp32" with "type": "bf16", not "fp16")",
         R"(use "fp32")"},
        {R"({"head_dim": 64, "tile": {"warp_q": 16, "tile_q": 256}})", "my.json:/tile/warp_q",
         R"(must be 32 with "tile_q": 256 (at most 8 warps), not 16)", "use 32"},
        {R"({"head_dim": 64, "tile": {"cluster_q": 3}})", "my.json:/tile/cluster_q",
         "must be one of 1, 2, not 3", "use 2"},
        {R"({"head_dim": 64, "target": "sm_9"})", "my.json:/target",
         R"(must be one of "sm_80", "sm_86", "sm_87", "sm_89", "sm_90", "sm_90a", "sm_100", )"
         R"("sm_120", not "sm_9")",
         R"(use "sm_89")"},
        {R"({"head_dim": 64, "name": 3})", "my.json:/name", "must be a UTF-8 string, not 3",
         R"(use "3")"},
        {R"({"head_dim": 64, "qk": {"granularty": "warp"}})", "my.json:/qk/granularty",
         R"(unknown key; "qk" may have "type", "granularity", "smooth_k")", R"(use "granularity")"},
        {R"({"head_dim": 64, "tile_q": 128})", "my.json:/tile_q",
         R"(unknown key; a config may have "$schema", "name", "head_dim", "head_dim_v", "dtype", )"
         R"("output_dtype", "causal", "qk", "pv", "lse", "tile", "target")",
         R"(move it into "tile")"},
        {R"({"head_dim": 64, "pv": {"lse": true}})", "my.json:/pv/lse",
         R"(unknown key; "pv" may have "type", "accumulation", "smooth_v")",
         R"(move it out of "pv")"},
        {R"({"head_dim": 64, "tile": {"stages": 2, "stages": 2}})", "my.json:/tile/stages",
         "appears more than once", "keep one"},
        {"{\n  \"head_dim\": 64,\n}", "my.json:3:1",
         "is not JSON: syntax error while parsing object key - unexpected '}'; "
         "expected string literal",
         "write plain JSON: no comments, no trailing commas, no NaN"},
    };
    for (const Expected& expected : cases) {
        const Error error = parse_error(expected.text);
        CHECK(error.where() == expected.where);
        CHECK(error.message() == expected.message);
        CHECK(error.fix() == expected.fix);
    }
    CHECK(parse_error(R"({"head_dim": 1})", "").where() == "/head_dim");
    CHECK(parse_error(R"({"head_dim": 64, "a/b~c": 1})").where() == "my.json:/a~1b~0c");
}

TEST_CASE("spec: defaults") {
    const Spec spec = parse_spec(R"({"head_dim": 80, "dtype": "bf16"})");
    CHECK(spec.head_dim_v == 80);
    CHECK(spec.output_dtype == DataType::kBf16);
    CHECK(spec.granularity == Granularity::kThread);
    CHECK(spec.smooth_k);
    CHECK(spec.pv_accum == PvAccum::kFp32);
    CHECK(spec.causal == CausalMode::kNone);
    CHECK_FALSE(spec.lse);
    CHECK_FALSE(spec.tile_q.has_value());
    CHECK_FALSE(spec.target.has_value());
    CHECK(parse_spec(R"({"head_dim": 64, "pv": {"type": "int8"}})").pv_accum ==
          PvAccum::kFp32PromoteInt32);
    const Spec fp8 = parse_spec(R"({"head_dim": 64, "pv": {"type": "fp8_e4m3"}})");
    CHECK(fp8.pv_accum == PvAccum::kFp32PromoteFp32);
    CHECK(fp8.smooth_v);
    CHECK_FALSE(spec.smooth_v);
    CHECK(parse_spec("\xef\xbb\xbf{\"head_dim\": 64}") == parse_spec(R"({"head_dim": 64})"));
}

TEST_CASE("spec: canonical JSON has every member in a fixed order") {
    CHECK(to_json(parse_spec(
                      R"({"tile": {"stages": 3, "tile_q": 64.0}, "$schema": "s", "head_dim": 64})"),
                  -1) ==
          R"({"name":"","head_dim":64,"head_dim_v":64,"dtype":"fp16","output_dtype":"fp16",)"
          R"("causal":"none","qk":{"type":"int8","granularity":"thread","smooth_k":true},)"
          R"("pv":{"type":"fp16","accumulation":"fp32"},"lse":false,)"
          R"("tile":{"tile_q":64,"stages":3}})");
}

TEST_CASE("spec: validate refuses what parse_spec refuses, in the same words") {
    const auto valid = [] { return parse_spec(R"({"head_dim": 64})"); };
    const auto check_same = [](const Spec& spec, const std::string& text) {
        const Error built = error_of([&] { validate(spec); });
        const Error parsed = parse_error(text, "spec");
        CHECK(built.code() == ErrorCode::kInvalidConfig);
        CHECK(std::string(built.what()) == parsed.what());
        CHECK(std::string(error_of([&] { to_json(spec); }).what()) == parsed.what());
    };
    Spec spec = valid();
    spec.head_dim = 100;
    check_same(spec, R"({"head_dim": 100})");
    spec = valid();
    spec.head_dim_v = 0;
    check_same(spec, R"({"head_dim": 64, "head_dim_v": 0})");
    spec = valid();
    spec.pv_type = PvType::kInt8;
    check_same(spec, R"({"head_dim": 64, "pv": {"type": "int8", "accumulation": "fp32"}})");
    spec = valid();
    spec.tile_q = 256;
    spec.warp_q = 16;
    check_same(spec, R"({"head_dim": 64, "tile": {"tile_q": 256, "warp_q": 16}})");
    spec = valid();
    spec.stages = 1;
    check_same(spec, R"({"head_dim": 64, "tile": {"stages": 1}})");
    spec = valid();
    spec.target = "sm_75";
    check_same(spec, R"({"head_dim": 64, "target": "sm_75"})");
    spec = valid();
    spec.granularity = static_cast<Granularity>(99);
    check_same(spec, R"({"head_dim": 64, "qk": {"granularity": ""}})");
    spec = valid();
    spec.name = "not UTF-8: \xff";
    CHECK(error_of([&] { validate(spec); }).where() == "spec:/name");
    CHECK(error_of([&] { validate(Spec{}); }).where() == "spec:/head_dim");
}

TEST_CASE("spec: the schema states the parser's defaults, words and limits") {
    std::ifstream stream(kRoot / "configs/schema.json");
    const json schema = json::parse(stream);
    const json canonical = json::parse(to_json(parse_spec(R"({"head_dim": 64})")));
    CHECK(check_schema_object(schema, "", canonical) == 8);

    std::vector<std::string> names;
    for (const Target& target : all_targets()) names.emplace_back(target.name);
    CHECK(schema["properties"]["target"]["enum"] == names);
    for (const char* key : {"head_dim", "head_dim_v"}) {
        const json& rule = schema["properties"][key];
        CHECK(rule["minimum"] == kMinHeadDim);
        CHECK(rule["maximum"] == kMaxHeadDim);
        CHECK(rule["multipleOf"] == kHeadDimStep);
    }
}

TEST_CASE("spec: the reference names every key, and its examples parse") {
    std::ifstream stream(kRoot / "docs/reference/config.md", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const json canonical = json::parse(to_json(parse_spec(
        R"({"head_dim": 64, "target": "sm_80", "tile": {"tile_q": 64, "tile_k": 64, "warp_q": 16,)"
        R"( "stages": 2}})")));
    const json flat = canonical.flatten();
    for (const auto& item : flat.items()) {
        INFO(item.key());
        CHECK(text.find("`" + item.key() + "`") != std::string::npos);
    }
    const std::string fence = "```json\n";
    int examples = 0;
    for (size_t at = text.find(fence); at != std::string::npos; at = text.find(fence, at)) {
        at += fence.size();
        CHECK_NOTHROW(parse_spec(text.substr(at, text.find("```", at) - at)));
        ++examples;
    }
    CHECK(examples >= 3);
}
