// The one table of config keys: where each sits, what it may hold, which Spec member it fills.
// The parser, validate and to_json all walk it.
#pragma once

#include <concepts>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sagejit/generator/spec.h"

namespace sagejit::rules {

// One JSON value. Arrays and objects carry no content: no key takes one.
struct JsonValue {
    enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
    Kind kind = Kind::kNull;
    bool flag = false;
    double number = 0;
    std::string text;  // a string's content, a number's digits

    // Constrained: a string literal would rather become a bool than a string_view.
    static JsonValue of(std::same_as<bool> auto value) { return {Kind::kBool, value, 0, {}}; }
    static JsonValue of(int value) {
        return {Kind::kNumber, false, static_cast<double>(value), std::to_string(value)};
    }
    static JsonValue of(std::string_view value) {
        return {Kind::kString, false, 0, std::string(value)};
    }
};

// What a key accepts, given the keys before it in the table.
struct Legal {
    enum class Kind { kText, kBool, kFalse, kInteger, kWord };
    Kind kind = Kind::kText;
    std::string rule;  // completes the sentence "must be ..."
    std::vector<int> integers;
    std::vector<std::string_view> words;
};

struct SpecField {
    std::string_view section;  // "qk"; empty for a key of the config itself
    std::string_view key;
    // A value as JSON text that is always legal, proposed where nothing nearer is known; empty
    // where the default serves.
    std::string_view usual;
    Legal (*legal)(const Spec& so_far);
    void (*set)(Spec& spec, const JsonValue& value);
    std::optional<JsonValue> (*get)(const Spec& spec);  // nullopt: left out of the config
    void (*fill)(Spec& spec);  // the default where the initialiser of Spec is not it; may be null
    bool required = false;
};

// All keys, in canonical order. A key's legal values depend on earlier keys only.
std::span<const SpecField> spec_fields();

// One value for each of spec_fields(); nullopt where the config does not say.
using Members = std::vector<std::optional<JsonValue>>;

// The members a config needs to spell `spec` out.
Members members_of(const Spec& spec);

// Checks every rule and fills in defaults. Throws Error(kInvalidConfig).
Spec resolve_spec(const Members& members, std::string_view origin);

// "my.json:/qk/granularity". Long and unprintable keys are shortened and escaped.
std::string spec_path(std::string_view origin, std::string_view section, std::string_view key);

// A text as a JSON string in ASCII, shortened when long.
std::string quote(std::string_view text);

// A value as an error message shows it, e.g. `"blok"` or `an array`.
std::string shown(const JsonValue& value);

}  // namespace sagejit::rules
