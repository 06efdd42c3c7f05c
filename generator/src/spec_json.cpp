// Config text to Spec and back.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "nearest.h"
#include "sagejit/generator/error.h"
#include "sagejit/generator/spec.h"
#include "spec_fields.h"

namespace sagejit {
namespace {

using namespace rules;
using Kind = JsonValue::Kind;
using nlohmann::json;

// A config needs two levels; what is nested deeper is wrong anyway.
constexpr int kMaxDepth = 32;
constexpr size_t kLongestReason = 160;

// The keys of a section, or of the config itself ("") with the names of its sections.
std::vector<std::string_view> known_keys(std::string_view section) {
    std::vector<std::string_view> keys;
    for (const SpecField& field : spec_fields()) {
        const bool inside = field.section == section;
        if (!inside && !section.empty()) continue;
        const std::string_view key = inside ? field.key : field.section;
        if (keys.empty() || keys.back() != key) keys.push_back(key);
    }
    return keys;
}

bool is_section(std::string_view key) {
    return !key.empty() && std::ranges::count(spec_fields(), key, &SpecField::section) > 0;
}

Error unknown_key(std::string_view origin, std::string_view section, std::string_view key) {
    const std::vector<std::string_view> known = known_keys(section);
    std::string list;
    for (const std::string_view word : known) list += (list.empty() ? "" : ", ") + quote(word);
    std::string fix = "use " + quote(nearest_word(known, key));
    for (const SpecField& field : spec_fields()) {
        if (field.key != key) continue;
        fix = field.section.empty() ? "move it out of " + quote(section)
                                    : "move it into " + quote(field.section);
        break;
    }
    return Error(
        ErrorCode::kInvalidConfig,
        "unknown key; " + (section.empty() ? "a config" : quote(section)) + " may have " + list,
        spec_path(origin, section, key), fix);
}

Error duplicate_key(std::string_view origin, std::string_view section, std::string_view key) {
    return Error(ErrorCode::kInvalidConfig, "appears more than once",
                 spec_path(origin, section, key), "keep one");
}

Error wrong_object(std::string_view where, const JsonValue& value, const std::string& fix) {
    return Error(ErrorCode::kInvalidConfig, "must be an object, not " + shown(value),
                 std::string(where), fix);
}

// Text that is not JSON. `position` counts the bytes read, up to and with the offending one.
Error not_json(std::string_view origin, std::string_view text, size_t position,
               std::string_view reason) {
    const std::string_view before = text.substr(0, position == 0 ? 0 : position - 1);
    const size_t line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    std::string where(origin);
    if (!where.empty()) where += ":";
    where += std::to_string(line) + ":" + std::to_string(column);
    return Error(ErrorCode::kInvalidConfig,
                 "is not JSON: " + std::string(reason.substr(0, kLongestReason)), where,
                 "write plain JSON: no comments, no trailing commas, no NaN");
}

// The library's own words, without its prefix and the text it quotes, which may be long or not
// UTF-8: "[json...] parse error at line 1, column 2: REASON; last read: 'TEXT'; expected WORD".
std::string reason_of(std::string_view what) {
    std::string_view reason = what.substr(what.find("] ") + 2);
    if (reason.starts_with("parse error at ")) reason.remove_prefix(reason.find(": ") + 2);
    const size_t read = reason.find("; last read: ");
    const size_t expected = reason.rfind("'; expected ");
    std::string result(reason.substr(0, read));
    if (read != std::string_view::npos && expected != std::string_view::npos) {
        result += reason.substr(expected + 1);
    }
    return result;
}

// Collects the scalars of a config while the library parses it; remembers the first error.
class Reader : public nlohmann::json_sax<json> {
  public:
    Reader(std::string_view text, std::string_view origin)
        : members(spec_fields().size()), text_(text), origin_(origin) {}

    Members members;
    std::optional<Error> error;

    bool null() override { return scalar({}); }
    bool boolean(bool value) override { return scalar(JsonValue::of(value)); }
    bool number_integer(number_integer_t value) override {
        return scalar({Kind::kNumber, false, static_cast<double>(value), std::to_string(value)});
    }
    bool number_unsigned(number_unsigned_t value) override {
        return scalar({Kind::kNumber, false, static_cast<double>(value), std::to_string(value)});
    }
    bool number_float(number_float_t value, const string_t& digits) override {
        return scalar({Kind::kNumber, false, value, digits});
    }
    bool string(string_t& value) override { return scalar(JsonValue::of(value)); }
    bool binary(binary_t&) override { return false; }  // not in JSON text

    bool start_object(size_t) override {
        if (skipped_ == 0 && depth_ == 0) {
            ++depth_;
            return true;
        }
        if (skipped_ == 0 && depth_ == 1 && is_section(key_)) {
            section_ = key_;
            ++depth_;
            return true;
        }
        return skip_into({Kind::kObject, false, 0, {}});
    }
    bool end_object() override {
        if (skipped_ > 0) {
            --skipped_;
        } else {
            section_.clear();
            --depth_;
        }
        return true;
    }
    bool start_array(size_t) override { return skip_into({Kind::kArray, false, 0, {}}); }
    bool end_array() override {
        --skipped_;
        return true;
    }

    bool key(string_t& value) override {
        if (skipped_ > 0) return true;
        key_ = value;
        if (std::ranges::count(known_keys(section_), key_) == 0) {
            return fail(unknown_key(origin_, section_, key_));
        }
        if (!seen_.emplace(section_, key_).second) {
            return fail(duplicate_key(origin_, section_, key_));
        }
        return true;
    }

    bool parse_error(size_t position, const std::string&,
                     const nlohmann::detail::exception& exception) override {
        return fail(not_json(origin_, text_, position, reason_of(exception.what())));
    }

  private:
    bool fail(Error problem) {
        if (!error) error = std::move(problem);
        return false;
    }

    bool scalar(JsonValue value) {
        if (skipped_ > 0) return true;
        if (depth_ == 0) {
            return fail(wrong_object(origin_, value, "use {\"head_dim\": 128}"));
        }
        if (depth_ == 1 && is_section(key_)) {
            return fail(wrong_object(spec_path(origin_, "", key_), value, "use {}"));
        }
        for (size_t i = 0; i < members.size(); ++i) {
            const SpecField& field = spec_fields()[i];
            if (field.section != section_ || field.key != key_) continue;
            members[i] = std::move(value);
            break;
        }
        return true;
    }

    // An array or object where neither belongs: noted like a scalar, its content passed over.
    bool skip_into(JsonValue value) {
        if (!scalar(std::move(value))) return false;
        if (++skipped_ <= kMaxDepth) return true;
        return fail(Error(ErrorCode::kInvalidConfig,
                          "is nested more than " + std::to_string(kMaxDepth) + " levels deep",
                          spec_path(origin_, section_, key_), "use a flat value"));
    }

    std::string_view text_, origin_;
    std::string section_, key_;
    std::set<std::pair<std::string, std::string>> seen_;
    int depth_ = 0;    // objects entered: the config, a section
    int skipped_ = 0;  // arrays and objects entered where a scalar belongs
};

}  // namespace

Spec parse_spec(std::string_view json_text, std::string_view origin) {
    // The library takes NUL for the end of the text.
    if (const size_t nul = json_text.find('\0'); nul != std::string_view::npos) {
        throw not_json(origin, json_text, nul + 1, "a NUL byte");
    }
    Reader reader(json_text, origin);
    const bool complete = json::sax_parse(json_text.begin(), json_text.end(), &reader);
    if (reader.error) throw *reader.error;
    if (!complete) throw Error(ErrorCode::kInternal, "the JSON parser gave no reason");
    return resolve_spec(reader.members, origin);
}

std::string to_json(const Spec& spec, int indent) {
    validate(spec);
    const Members members = members_of(spec);
    nlohmann::ordered_json config;
    for (size_t i = 0; i < members.size(); ++i) {
        if (!members[i]) continue;
        const SpecField& field = spec_fields()[i];
        nlohmann::ordered_json& object =
            field.section.empty() ? config : config[std::string(field.section)];
        nlohmann::ordered_json& member = object[std::string(field.key)];
        switch (members[i]->kind) {
            case Kind::kBool:
                member = members[i]->flag;
                break;
            case Kind::kNumber:
                member = static_cast<int>(members[i]->number);
                break;
            case Kind::kString:
                member = members[i]->text;
                break;
            case Kind::kNull:
            case Kind::kArray:
            case Kind::kObject:
                throw Error(ErrorCode::kInternal, "a spec holds no such value",
                            spec_path("spec", field.section, field.key));
        }
    }
    return config.dump(indent);
}

}  // namespace sagejit
