// Files that someone bent on mischief, or a failing disk, may hand over.
#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "tensor/safetensors.h"

namespace sagejit {
namespace {

// A file of this header, with the length in front and `data` zero bytes behind.
std::vector<std::byte> assemble(const std::string& json, size_t data) {
    std::vector<std::byte> bytes(8 + json.size() + data);
    const uint64_t length = json.size();
    std::memcpy(bytes.data(), &length, 8);
    std::memcpy(bytes.data() + 8, json.data(), json.size());
    return bytes;
}

std::string refusal(std::span<const std::byte> bytes) {
    try {
        parse_safetensors(bytes, "evil.safetensors");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInvalidInput);
        CHECK(error.where() == "evil.safetensors");
        CHECK_FALSE(error.fix().empty());
        return error.message();
    }
    return "accepted";
}

std::string refusal(const std::string& json, size_t data) { return refusal(assemble(json, data)); }

}  // namespace

TEST_CASE("safetensors: hostile files are refused") {
    const auto entry = [](const std::string& dtype, const std::string& shape,
                          const std::string& offsets) {
        return R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
               offsets + "}}";
    };
    using Catch::Contains;
    REQUIRE(refusal(entry("F16", "[2,3]", "[0,12]"), 12) == "accepted");

    SECTION("the length") {
        CHECK_THAT(refusal(std::vector<std::byte>{}), Contains("0 bytes"));
        CHECK_THAT(refusal(std::vector<std::byte>(7)), Contains("7 bytes"));
        CHECK_THAT(refusal(std::vector<std::byte>(8)), Contains("does not begin with {"));
        std::vector<std::byte> bytes = assemble("{}", 0);
        bytes[0] = std::byte{3};
        CHECK_THAT(refusal(bytes), Contains("claims 3 bytes, but only 2 follow"));
        bytes[4] = std::byte{1};
        CHECK_THAT(refusal(bytes), Contains("at most 100000000"));
        for (int i = 0; i < 8; ++i) bytes[i] = std::byte{0xff};
        CHECK_THAT(refusal(bytes), Contains("at most 100000000"));
    }
    SECTION("the JSON") {
        CHECK_THAT(refusal("", 0), Contains("begin with {"));
        CHECK_THAT(refusal("[]", 0), Contains("begin with {"));
        CHECK_THAT(refusal(" {}", 0), Contains("begin with {"));
        CHECK_THAT(refusal("\xef\xbb\xbf{}", 0), Contains("begin with {"));
        CHECK_THAT(refusal("{", 0), Contains("not valid JSON"));
        CHECK_THAT(refusal("{} {}", 0), Contains("not valid JSON"));
        CHECK_THAT(refusal(std::string("{}\0garbage", 10), 0), Contains("a zero byte"));
        CHECK_THAT(refusal("{\"\xff\":1}", 0), Contains("not valid JSON"));
        CHECK_THAT(refusal(R"({"t":1})", 0), Contains("a number is not allowed"));
        CHECK_THAT(refusal(R"({"t":null})", 0), Contains("null is not allowed"));
        CHECK_THAT(refusal(R"({"t":[]})", 0), Contains("an array is not allowed"));
        CHECK_THAT(refusal(R"({"t":"x"})", 0), Contains("a string is not allowed"));
        CHECK_THAT(refusal(R"({"t":{}})", 0), Contains("needs dtype, shape and data_offsets"));
        CHECK_THAT(refusal(R"({"t":{"dtype":"U8","shape":[0]}})", 0), Contains("needs dtype"));
        CHECK_THAT(refusal(R"({"t":{"stride":[0]}})", 0), Contains("unknown member \"stride\""));
        CHECK_THAT(refusal(R"({"t":{"dtype":{}}})", 0), Contains("an object is not allowed"));
        CHECK_THAT(refusal(R"({"t":{"dtype":["U8"]}})", 0), Contains("an array is not allowed"));
        CHECK_THAT(refusal(R"({"t":{"shape":[[0]]}})", 0), Contains("an array is not allowed"));
        CHECK_THAT(refusal(R"({"t":{"shape":["0"]}})", 0), Contains("a string is not allowed"));
        CHECK_THAT(refusal(R"({"t":{"shape":[true]}})", 0), Contains("a boolean is not allowed"));
        const std::string deep(1'000'000, '[');
        CHECK_THAT(refusal("{\"t\":" + deep, 0), Contains("an array is not allowed"));
        std::string nested;
        for (int i = 0; i < 100'000; ++i) nested += "{\"shape\":";
        CHECK_THAT(refusal(nested, 0), Contains("an object is not allowed"));
    }
    SECTION("names") {
        CHECK_THAT(refusal(R"({"t":{"dtype":"U8","shape":[],"data_offsets":[0,1]},)"
                           R"("t":{"dtype":"U8","shape":[],"data_offsets":[1,2]}})",
                           2),
                   Contains("duplicate name \"t\""));
        CHECK_THAT(refusal(R"({"\u0074":{"dtype":"U8","shape":[],"data_offsets":[0,1]},)"
                           R"("t":{"dtype":"U8","shape":[],"data_offsets":[1,2]}})",
                           2),
                   Contains("duplicate name \"t\""));
        CHECK_THAT(
            refusal(R"({"t":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1),
            Contains("\"dtype\" twice"));
        CHECK_THAT(refusal(R"({"__metadata__":{},"__metadata__":{}})", 0), Contains("duplicate"));
        CHECK_THAT(refusal(R"({"__metadata__":{"a":"","a":""}})", 0), Contains("\"a\" twice"));
        CHECK_THAT(refusal(R"({"__metadata__":{"a":1}})", 0), Contains("a number is not allowed"));
        CHECK_THAT(refusal(R"({"__metadata__":{"a":{}}})", 0), Contains("an object is not"));
        CHECK_THAT(refusal(R"({"__metadata__":[]})", 0), Contains("an array is not allowed"));
        // Neither terminal escapes nor megabytes of a name reach the message.
        const std::string loud = refusal("{\"\\u001b[2J" + std::string(5000, 'x') + "\":1}", 0);
        CHECK(loud.size() < 200);
        CHECK(loud.find('\x1b') == std::string::npos);
    }
    SECTION("types and shapes") {
        CHECK_THAT(refusal(entry("f16", "[6]", "[0,12]"), 12), Contains("unknown dtype \"f16\""));
        CHECK_THAT(refusal(entry("F4", "[24]", "[0,12]"), 12), Contains("unknown dtype \"F4\""));
        CHECK_THAT(refusal(entry("F16", "[-6]", "[0,12]"), 12), Contains("a negative number"));
        CHECK_THAT(refusal(entry("F16", "[6.0]", "[0,12]"), 12), Contains("a fraction"));
        CHECK_THAT(refusal(entry("F16", "[6e0]", "[0,12]"), 12), Contains("a fraction"));
        CHECK_THAT(refusal(entry("F16", "6", "[0,12]"), 12), Contains("a number is not allowed"));
        CHECK_THAT(refusal(entry("F16", "[9223372036854775808]", "[0,12]"), 12),
                   Contains("too large"));
        CHECK_THAT(refusal(entry("F16", "[99999999999999999999]", "[0,12]"), 12),
                   Contains("a fraction"));
        // 2^63 elements of two bytes wrap around to 0; so do these products.
        CHECK_THAT(refusal(entry("F16", "[4611686018427387904,2]", "[0,0]"), 0),
                   Contains("negative or too large"));
        CHECK_THAT(refusal(entry("U8", "[4294967296,4294967296]", "[0,0]"), 0),
                   Contains("negative or too large"));
        CHECK_THAT(refusal(entry("U8", "[0,4294967296,4294967296]", "[0,0]"), 0),
                   Contains("negative or too large"));
        std::string ranks = "1";
        for (int i = 0; i < 64; ++i) ranks += ",1";
        CHECK_THAT(refusal(entry("U8", "[" + ranks + "]", "[0,1]"), 1), Contains("too many"));
    }
    SECTION("offsets") {
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[0,11]"), 11), Contains("hold 11 bytes"));
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[0,13]"), 13), Contains("hold 13 bytes"));
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[0,12]"), 11), Contains("outside the 11 bytes"));
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[12,0]"), 12), Contains("outside"));
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[0,12]"), 13), Contains("1 bytes follow"));
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[1,13]"), 13), Contains("leave a hole"));
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[0]"), 12), Contains("two numbers"));
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[0,12,12]"), 12), Contains("two numbers"));
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[-12,0]"), 12), Contains("a negative number"));
        CHECK_THAT(refusal(entry("F16", "[2,3]", "[18446744073709551604,0]"), 12),
                   Contains("outside"));
        CHECK_THAT(
            refusal(entry("F16", "[2,3]", "[18446744073709551615,18446744073709551615]"), 12),
            Contains("outside"));
        CHECK_THAT(refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                           R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
                           6),
                   Contains("overlap"));
        CHECK_THAT(refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                           R"("b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
                           4),
                   Contains("overlap"));
        CHECK_THAT(refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                           R"("b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
                           4),
                   Contains("overlap"));
    }
}

TEST_CASE("safetensors: mutated files are read whole or refused, nothing else") {
    const std::string json =
        R"({"__metadata__":{"format":"pt"},"q":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},)"
        R"("k":{"dtype":"BF16","shape":[1,4],"data_offsets":[12,20]},)"
        R"("s":{"dtype":"F32","shape":[],"data_offsets":[20,24]}})";
    const std::vector<std::byte> valid = assemble(json, 24);
    REQUIRE(parse_safetensors(valid, "x").tensors.size() == 3);

    std::mt19937_64 random(20240607);
    const std::string alphabet = "{}[]:,\"0123456789-.eFBIU_ \\u\n";
    int accepted = 0, refused = 0;
    for (int round = 0; round < 30000; ++round) {
        std::vector<std::byte> bytes = valid;
        for (auto mutations = random() % 3 + 1; mutations > 0 && !bytes.empty(); --mutations) {
            const auto at = static_cast<std::ptrdiff_t>(random() % bytes.size());
            const auto letter = static_cast<std::byte>(alphabet[random() % alphabet.size()]);
            switch (random() % 5) {
                case 0:
                    bytes[at] = static_cast<std::byte>(random());
                    break;
                case 1:
                    bytes[at] = letter;
                    break;
                case 2:
                    bytes.insert(bytes.begin() + at, letter);
                    break;
                case 3:
                    bytes.erase(bytes.begin() + at);
                    break;
                case 4:
                    bytes.resize(at);
                    break;
            }
        }
        // Half of the time the length is repaired, so that the parser is reached.
        if (random() % 2 && bytes.size() > 8 + 24) {
            const uint64_t length = bytes.size() - 8 - 24;
            std::memcpy(bytes.data(), &length, 8);
        }
        try {
            const SafetensorsFile file = parse_safetensors(bytes, "fuzz");
            size_t total = 0;
            for (const StoredTensor& tensor : file.tensors) total += tensor.data.size();
            uint64_t length = 0;
            std::memcpy(&length, bytes.data(), 8);
            if (8 + length + total != bytes.size()) FAIL("a file with unread bytes was accepted");
            ++accepted;
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kInvalidInput) FAIL(error.what());
            ++refused;
        }
    }
    CHECK(accepted > 500);
    CHECK(refused > 20000);
}

}  // namespace sagejit
