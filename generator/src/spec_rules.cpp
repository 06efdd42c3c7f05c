// Applies the table of spec_fields.h and words its errors.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "nearest.h"
#include "sagejit/generator/error.h"
#include "spec_fields.h"

namespace sagejit::rules {
namespace {

using Kind = JsonValue::Kind;
using nlohmann::json;

// The longest part of a config's own text an error repeats, in bytes.
constexpr size_t kLongestShown = 40;

bool is_utf8(const std::string& text) {
    try {
        json(text).dump();
        return true;
    } catch (const json::type_error&) {
        return false;
    }
}

bool is_legal(const Legal& legal, const JsonValue& value) {
    switch (legal.kind) {
        case Legal::Kind::kText:
            return value.kind == Kind::kString && is_utf8(value.text);
        case Legal::Kind::kBool:
            return value.kind == Kind::kBool;
        case Legal::Kind::kFalse:
            return value.kind == Kind::kBool && !value.flag;
        case Legal::Kind::kInteger:
            // 64.0 is an integer, as in JSON Schema draft-07.
            return value.kind == Kind::kNumber &&
                   std::ranges::count(legal.integers, value.number) > 0;
        case Legal::Kind::kWord:
            return value.kind == Kind::kString && std::ranges::count(legal.words, value.text) > 0;
    }
    return false;
}

// What a field holds when the config does not say, as JSON text.
std::string default_of(const SpecField& field, const Spec& so_far) {
    Spec filled = so_far;
    if (field.fill != nullptr) field.fill(filled);
    const std::optional<JsonValue> value = field.get(filled);
    return value ? shown(*value) : std::string();
}

// The legal value nearest to `value`, as JSON text.
std::string nearest(const SpecField& field, const Legal& legal, const Spec& so_far,
                    const JsonValue& value) {
    const bool is_number = value.kind == Kind::kNumber, is_string = value.kind == Kind::kString;
    switch (legal.kind) {
        case Legal::Kind::kText:
            if (is_number) return quote(value.text);
            break;
        case Legal::Kind::kBool:
            if (is_number) return value.number != 0 ? "true" : "false";
            if (is_string) {
                constexpr std::string_view kYes[] = {"true", "yes", "on", "1"};
                constexpr std::string_view kAny[] = {"true", "yes",   "on",  "1",
                                                     "no",   "false", "off", "0"};
                const std::string_view word = nearest_word(kAny, value.text);
                return nearest_word(kYes, word) == word ? "true" : "false";
            }
            break;
        case Legal::Kind::kFalse:
            return "false";
        case Legal::Kind::kInteger: {
            if (is_number) return std::to_string(nearest_number(legal.integers, value.number));
            double number = 0;
            const char* end = value.text.data() + value.text.size();
            const auto [stop, failure] = std::from_chars(value.text.data(), end, number);
            if (is_string && failure == std::errc() && stop == end) {
                return std::to_string(nearest_number(legal.integers, number));
            }
            break;
        }
        case Legal::Kind::kWord:
            if (is_number || is_string) return quote(nearest_word(legal.words, value.text));
            break;
    }
    return field.usual.empty() ? default_of(field, so_far) : std::string(field.usual);
}

}  // namespace

std::string quote(std::string_view text) {
    std::string_view start = text.substr(0, kLongestShown);
    if (start.size() < text.size()) {
        // Not in the middle of a character.
        size_t end = start.size();
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
        start = text.substr(0, end);
    }
    std::string json_text =
        json(start).dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
    if (start.size() < text.size()) json_text.insert(json_text.size() - 1, "...");
    return json_text;
}

std::string shown(const JsonValue& value) {
    switch (value.kind) {
        case Kind::kNull:
            return "null";
        case Kind::kBool:
            return value.flag ? "true" : "false";
        case Kind::kNumber:
            return value.text.size() <= kLongestShown ? value.text
                                                      : value.text.substr(0, kLongestShown) + "...";
        case Kind::kString:
            return quote(value.text);
        case Kind::kArray:
            return "an array";
        case Kind::kObject:
            return "an object";
    }
    return "";
}

std::string spec_path(std::string_view origin, std::string_view section, std::string_view key) {
    std::string path(origin);
    if (!path.empty()) path += ":";
    if (!section.empty()) path += "/" + std::string(section);
    std::string pointer;  // escaped as in RFC 6901
    for (const char c : key) {
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
    const std::string text = quote(pointer);
    return path + "/" + text.substr(1, text.size() - 2);
}

Spec resolve_spec(const Members& members, std::string_view origin) {
    Spec spec;
    for (size_t i = 0; i < members.size(); ++i) {
        const SpecField& field = spec_fields()[i];
        if (!members[i]) {
            if (field.required) {
                const std::string key = quote(field.key);
                throw Error(ErrorCode::kInvalidConfig, key + " is required",
                            spec_path(origin, field.section, field.key),
                            "add " + key + ": " + std::string(field.usual));
            }
            if (field.fill != nullptr) field.fill(spec);
            continue;
        }
        const JsonValue& value = *members[i];
        const Legal legal = field.legal(spec);
        if (!is_legal(legal, value)) {
            throw Error(ErrorCode::kInvalidConfig,
                        "must be " + legal.rule + ", not " + shown(value),
                        spec_path(origin, field.section, field.key),
                        "use " + nearest(field, legal, spec, value));
        }
        field.set(spec, value);
    }
    return spec;
}

}  // namespace sagejit::rules
