#include "tensor/safetensors_header.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

namespace sagejit {
namespace {

[[noreturn]] void refuse(std::string_view origin, std::string message,
                         std::string fix =
                             "it is damaged or not a safetensors file; write it "
                             "again with the program that made it") {
    throw Error(ErrorCode::kInvalidInput, std::move(message), std::string(origin), std::move(fix));
}

// Takes the header apart while it is read. The format has a fixed depth, so that each state knows
// what may come next and anything deeper is refused where it starts.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
  public:
    explicit HeaderReader(std::string_view origin) : origin_(origin) {}

    SafetensorsHeader take() {
        if (state_ != State::kDone) refuse(origin_, "the header is not a JSON object");
        return std::move(header_);
    }

    bool start_object(size_t) override {
        switch (state_) {
            case State::kStart:
                state_ = State::kTop;
                return true;
            case State::kTop:
                state_ = name_ == kMetadataName ? State::kMetadata : State::kEntry;
                header_.entries.resize(header_.entries.size() + (state_ == State::kEntry));
                seen_ = {};
                return true;
            case State::kEntry:
            case State::kMetadata:
            case State::kShape:
            case State::kOffsets:
            case State::kDone:
                unexpected("an object");
        }
        return false;
    }

    bool key(string_t& text) override {
        if (state_ == State::kTop) {
            name_ = text;
            field_.clear();
            if (!names_.insert(name_).second) refuse(origin_, "duplicate name " + printable(name_));
            return true;
        }
        field_ = text;
        if (!seen_.insert(field_).second)
            refuse(origin_, fmt::format("{} has {} twice", printable(name_), printable(field_)));
        if (state_ == State::kEntry && field_ != "dtype" && field_ != "shape" &&
            field_ != "data_offsets")
            refuse(origin_, fmt::format("{} has an unknown member {}; known are dtype, shape, "
                                        "data_offsets",
                                        printable(name_), printable(field_)));
        return true;
    }

    bool end_object() override {
        switch (state_) {
            case State::kEntry:
                if (seen_.size() != 3)
                    refuse(origin_, printable(name_) + " needs dtype, shape and data_offsets");
                header_.entries.back().name = name_;
                state_ = State::kTop;
                return true;
            case State::kMetadata:
                state_ = State::kTop;
                return true;
            case State::kTop:
                state_ = State::kDone;
                return true;
            case State::kStart:
            case State::kShape:
            case State::kOffsets:
            case State::kDone:
                break;
        }
        return false;
    }

    bool start_array(size_t) override {
        if (state_ != State::kEntry || field_ == "dtype") unexpected("an array");
        state_ = field_ == "shape" ? State::kShape : State::kOffsets;
        offsets_ = 0;
        return true;
    }

    bool end_array() override {
        if (state_ == State::kOffsets && offsets_ != 2)
            refuse(origin_, printable(name_) + ": data_offsets needs two numbers, begin and end");
        state_ = State::kEntry;
        return true;
    }

    bool number_unsigned(number_unsigned_t value) override {
        if (state_ == State::kShape) {
            if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
                refuse(origin_, printable(name_) + ": a size in its shape is too large");
            std::vector<int64_t>& shape = header_.entries.back().shape;
            if (shape.size() == kMaxRank)
                refuse(origin_, printable(name_) + ": its shape has too many sizes");
            shape.push_back(static_cast<int64_t>(value));
            return true;
        }
        if (state_ != State::kOffsets) unexpected("a number");
        StoredEntry& entry = header_.entries.back();
        if (offsets_ < 2) (offsets_ == 0 ? entry.begin : entry.end) = value;
        ++offsets_;
        return true;
    }

    bool string(string_t& text) override {
        if (state_ == State::kMetadata) {
            header_.metadata[field_] = text;
            return true;
        }
        if (state_ != State::kEntry || field_ != "dtype") unexpected("a string");
        const std::optional<StoredType> type = parse_stored_type(text);
        if (!type)
            refuse(origin_,
                   fmt::format("{} has the unknown dtype {}", printable(name_), printable(text)),
                   "convert the tensor to F16 or BF16");
        header_.entries.back().type = *type;
        return true;
    }

    bool null() override { unexpected("null"); }
    bool boolean(bool) override { unexpected("a boolean"); }
    bool number_integer(number_integer_t) override { unexpected("a negative number"); }
    bool number_float(number_float_t, const string_t&) override { unexpected("a fraction"); }
    bool binary(binary_t&) override { unexpected("binary data"); }
    bool parse_error(size_t position, const std::string&,
                     const nlohmann::detail::exception&) override {
        refuse(origin_, fmt::format("the header is not valid JSON at its byte {}", position));
    }

  private:
    enum class State { kStart, kTop, kMetadata, kEntry, kShape, kOffsets, kDone };

    [[noreturn]] void unexpected(std::string_view what) const {
        std::string place = "the header";
        if (!names_.empty()) place = printable(name_);
        if (!field_.empty()) place += ": " + printable(field_);
        refuse(origin_, fmt::format("{}: {} is not allowed here", place, what));
    }

    std::string_view origin_;
    State state_ = State::kStart;
    SafetensorsHeader header_;
    std::string name_, field_;
    // Ordered, because names chosen to collide would make a hash table quadratic.
    std::set<std::string> names_, seen_;
    int offsets_ = 0;
};

}  // namespace

std::string printable(std::string_view name) {
    constexpr size_t kMost = 64;
    constexpr auto kLossy = nlohmann::json::error_handler_t::replace;
    const nlohmann::json text = std::string(name.substr(0, kMost));
    return text.dump(-1, ' ', true, kLossy) + (name.size() > kMost ? "..." : "");
}

uint64_t parse_header_length(std::string_view first_bytes, uint64_t file_bytes,
                             std::string_view origin) {
    if (first_bytes.size() < kHeaderLengthBytes || file_bytes < kHeaderLengthBytes)
        refuse(origin, fmt::format("the file has {} bytes, fewer than the 8 it must begin with",
                                   file_bytes));
    uint64_t length = 0;
    for (int i = 0; i < kHeaderLengthBytes; ++i)
        length |= static_cast<uint64_t>(static_cast<unsigned char>(first_bytes[i])) << (8 * i);
    if (length > kMaxHeaderBytes)
        refuse(origin, fmt::format("the header claims {} bytes; at most {} are allowed", length,
                                   kMaxHeaderBytes));
    if (length > file_bytes - kHeaderLengthBytes)
        refuse(origin, fmt::format("the header claims {} bytes, but only {} follow", length,
                                   file_bytes - kHeaderLengthBytes));
    return length;
}

uint64_t stored_bytes(StoredType type, const std::vector<int64_t>& shape, std::string_view name,
                      std::string_view origin, ErrorCode code) {
    uint64_t bytes = static_cast<uint64_t>(element_bytes(type));
    bool empty = false;
    for (const int64_t size : shape) {
        if (size < 0 ||
            (size > 0 && __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes)))
            throw Error(code, printable(name) + ": its shape is negative or too large",
                        std::string(origin), "check the sizes");
        if (size == 0) empty = true;
    }
    return empty ? 0 : bytes;
}

SafetensorsHeader parse_header(std::string_view json, uint64_t data_bytes,
                               std::string_view origin) {
    // The JSON reader would skip a byte order mark; the format does not allow one.
    if (json.empty() || json.front() != '{') refuse(origin, "the header does not begin with {");
    // It would also take a zero byte for the end and never look behind it.
    if (json.find('\0') != json.npos) refuse(origin, "the header contains a zero byte");
    HeaderReader reader(origin);
    nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
    SafetensorsHeader header = reader.take();

    for (const StoredEntry& entry : header.entries) {
        if (entry.begin > entry.end || entry.end > data_bytes)
            refuse(origin, fmt::format("{}: data_offsets {}..{} lie outside the {} bytes of data",
                                       printable(entry.name), entry.begin, entry.end, data_bytes));
        const uint64_t bytes =
            stored_bytes(entry.type, entry.shape, entry.name, origin, ErrorCode::kInvalidInput);
        if (entry.end - entry.begin != bytes)
            refuse(origin, fmt::format("{}: data_offsets hold {} bytes, its shape needs {}",
                                       printable(entry.name), entry.end - entry.begin, bytes));
    }
    std::sort(header.entries.begin(), header.entries.end(), [](const auto& a, const auto& b) {
        return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    uint64_t expected = 0;
    for (const StoredEntry& entry : header.entries) {
        if (entry.begin != expected)
            refuse(origin, fmt::format("{} begins at byte {} of the data instead of {}: tensors "
                                       "overlap or leave a hole",
                                       printable(entry.name), entry.begin, expected));
        expected = entry.end;
    }
    if (expected != data_bytes)
        refuse(origin, fmt::format("{} bytes follow the last tensor", data_bytes - expected));
    return header;
}

}  // namespace sagejit
