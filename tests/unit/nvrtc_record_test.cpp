// What is written down of an NVRTC, and reading it back.
#include "nvrtc_record.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace sagejit;

namespace {

std::vector<NvrtcRecord> two_records() {
    NvrtcRecord record;
    record.search = std::string(32, 'a');
    record.builtins = std::string(32, 'b');
    record.info.path = "/opt/\"quoted\"/libnvrtc.so.13";
    record.info.builtins_path = "/opt/libnvrtc-builtins.so.13.0";
    record.info.major = 13;
    record.info.build = 88;
    record.info.options = {"--no-cache", "--frandom-seed=sagejit"};
    NvrtcRecord other;
    other.search = std::string(32, 'c');
    return {record, other};
}

}  // namespace

TEST_CASE("records of NVRTC come back as they were", "[nvrtc]") {
    CHECK(decode_records(encode_records(two_records())) == two_records());
    CHECK(decode_records(encode_records({})).empty());
}

TEST_CASE("records that are damaged are none", "[nvrtc]") {
    const std::string text = encode_records(two_records());
    for (size_t size = 0; size + 1 < text.size(); ++size) {  // but for the last newline
        REQUIRE(decode_records(text.substr(0, size)).empty());
    }
    for (size_t at = 0; at + 1 < text.size(); ++at) {
        for (const int bit : {0, 2, 5}) {
            std::string damaged = text;
            damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
            INFO(damaged);
            REQUIRE(decode_records(damaged).empty());
        }
    }
    for (const char* other : {"null", "[]", "{}", "{\"records\": 1}", "\xff"}) {
        CHECK(decode_records(other).empty());
    }
}

TEST_CASE("a path that is no text is not written down", "[nvrtc]") {
    std::vector<NvrtcRecord> records = two_records();
    records[0].info.path = "/opt/\xff";
    CHECK(encode_records(records).empty());
}
