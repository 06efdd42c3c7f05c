// Bundles: what is written is read back, and whatever else is in the file is a typed error.
#include "sagejit/bundle.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bundle_fixture.h"
#include "error_of.h"
#include "temporary_directory.h"

using namespace sagejit;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using Json = nlohmann::ordered_json;

namespace {

// Opens and checks everything; true when all of it was accepted. Any other error than a typed one
// fails the test.
bool accepted(std::span<const uint8_t> bytes) {
    try {
        open_in_memory(bytes).verify();
        return true;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kInvalidInput) FAIL("wrong code: " << error.what());
        return false;
    }
}

void write_file(const fs::path& path, std::span<const uint8_t> bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("A bundle gives back what was put into it") {
    const Bundle bundle = open_in_memory(fake_bundle());
    CHECK(bundle.origin() == "test");
    CHECK(bundle.generator() == "0.1.0-test");
    CHECK(bundle.nvrtc() == "13.0.88");
    REQUIRE(bundle.kernels().size() == 3);
    BundleKernel expected = fake_kernel("second", "sm_90a");
    expected.cubin = 1;
    expected.cubin_bytes = 150;
    CHECK(bundle.kernels()[1] == expected);
}

TEST_CASE("A bundle remembers why a kernel is slow") {
    BundleKernel kernel = fake_kernel("first", "sm_80");
    kernel.slow_code = "ptxas spilled registers in attention: 12 bytes stored and loaded";
    const Bundle bundle =
        open_in_memory(encode_bundle("0.1.0", "13.0.88", {{kernel, fake_cubin_bytes(80)}}));
    CHECK(bundle.kernels().front().slow_code == kernel.slow_code);
    CHECK(open_in_memory(fake_bundle()).kernels().front().slow_code == "");
}

TEST_CASE("Cubins of a bundle are those stored, equal ones once") {
    const std::vector<uint8_t> bytes = fake_bundle();
    const Bundle bundle = open_in_memory(bytes);
    CHECK(bundle.cubin(bundle.kernels()[0]) == fake_cubin_bytes(80));
    CHECK(bundle.cubin(bundle.kernels()[1]) == fake_cubin_bytes(90, 150));
    CHECK(bundle.cubin(bundle.kernels()[2]) == fake_cubin_bytes(90, 150));
    CHECK(bundle.kernels()[1].cubin == bundle.kernels()[2].cubin);
    CHECK(bytes == fake_bundle());  // the same input, the same bytes
}

TEST_CASE("An empty bundle is a bundle") {
    const Bundle bundle = open_in_memory(encode_bundle("0.1.0", "13.0.88", {}));
    CHECK(bundle.kernels().empty());
    bundle.verify();
}

TEST_CASE("Names that are not UTF-8 can be stored") {
    BundleKernel kernel = fake_kernel("caf\xe9", "sm_80");
    const Bundle bundle =
        open_in_memory(encode_bundle("0.1.0", "13.0.88", {{kernel, fake_cubin_bytes(80)}}));
    CHECK_THAT(bundle.kernels().front().name, Catch::StartsWith("caf"));
}

TEST_CASE("Every byte of the header, mutated every way, is a typed error") {
    std::vector<uint8_t> bytes = fake_bundle();
    for (size_t i = 0; i < sizeof(BundleHeader); ++i) {
        const uint8_t good = bytes[i];
        for (int value = 0; value < 256; ++value) {
            if (value == good) continue;
            bytes[i] = static_cast<uint8_t>(value);
            CAPTURE(i, value);
            if (accepted(bytes)) FAIL("a mutated header was accepted");
        }
        bytes[i] = good;
    }
    CHECK(accepted(bytes));
}

TEST_CASE("Every other byte of a bundle, mutated, is a typed error") {
    std::vector<uint8_t> bytes = fake_bundle();
    for (size_t i = sizeof(BundleHeader); i < bytes.size(); ++i) {
        for (const int flip : {0x01, 0x80, 0xff}) {
            bytes[i] ^= static_cast<uint8_t>(flip);
            CAPTURE(i, flip);
            if (accepted(bytes)) FAIL("a mutated byte was accepted");
            bytes[i] ^= static_cast<uint8_t>(flip);
        }
    }
}

TEST_CASE("A bundle cut anywhere, or with more behind it, is a typed error") {
    const std::vector<uint8_t> bytes = fake_bundle();
    for (size_t size = 0; size < bytes.size(); ++size) {
        CAPTURE(size);
        if (accepted(std::span(bytes).first(size))) FAIL("a truncated bundle was accepted");
    }
    std::vector<uint8_t> longer = bytes;
    longer.push_back(0);
    CHECK_FALSE(accepted(longer));
}

TEST_CASE("A header whose numbers are huge does not make the reader allocate") {
    const std::vector<uint8_t> good = fake_bundle();
    for (const uint64_t huge : {UINT64_MAX, UINT64_MAX - 64, uint64_t{1} << 63, uint64_t{1} << 40,
                                kMaxManifestBytes, kMaxManifestBytes + 1}) {
        for (const size_t offset :
             {offsetof(BundleHeader, file_bytes), offsetof(BundleHeader, manifest_bytes)}) {
            std::vector<uint8_t> bytes = good;
            std::memcpy(bytes.data() + offset, &huge, sizeof huge);
            CHECK_FALSE(accepted(bytes));
        }
    }
}

TEST_CASE("A later format version is told apart from damage") {
    std::vector<uint8_t> bytes = fake_bundle();
    bytes[offsetof(BundleHeader, version)] = 2;
    const Error error = error_of([&] { open_in_memory(bytes); });
    CHECK(error.code() == ErrorCode::kInvalidInput);
    CHECK(error.where() == "test");
    CHECK_THAT(error.message(), Contains("format version is 2"));
}

TEST_CASE("Manifests that are not exactly as documented are refused, whatever their checksum") {
    const std::vector<uint8_t> good = fake_bundle();
    const Json manifest = Json::parse(manifest_of(good));
    REQUIRE(accepted(with_manifest(good, manifest.dump())));

    // Each is one change to a good manifest.
    const std::vector<std::pair<const char*, const char*>> changes = {
        {"/schema", "0"},
        {"/schema", "2"},
        {"/schema", "1.0"},
        {"/schema", "\"1\""},
        {"/generator", "1"},
        {"/nvrtc", "null"},
        {"/more", "1"},
        {"/cubins", "{}"},
        {"/cubins", "[]"},
        {"/cubins/0", "7"},
        {"/cubins/0/bytes", "-1"},
        {"/cubins/0/bytes", "1e3"},
        {"/cubins/0/bytes", "199"},
        {"/cubins/0/bytes", "201"},
        {"/cubins/0/bytes", "18446744073709551615"},
        {"/cubins/0/bytes", "18446744073709551616"},
        {"/cubins/0/bytes", "268435456"},
        {"/cubins/0/offset", "0"},
        {"/cubins/0/checksum", "\"\""},
        {"/cubins/0/checksum", "\"00000000000000000000000000000000\""},
        {"/cubins/0/checksum", "\"0000000000000000000000000000000g\""},
        {"/kernels", "1"},
        {"/kernels/0", "[]"},
        {"/kernels/0/name", "1"},
        {"/kernels/0/asked", "\"text\""},
        {"/kernels/0/spec", "[]"},
        {"/kernels/0/plan", "null"},
        {"/kernels/0/target", "\"\""},
        {"/kernels/0/target", "\"sm_\""},
        {"/kernels/0/target", "\"sm_90\""},  // its cubin is for sm_80
        {"/kernels/0/target", "\"sm_80ab\""},
        {"/kernels/0/target", "\"sm_99999\""},
        {"/kernels/0/target", "\"../sm_80\""},
        {"/kernels/0/source_hash", "\"xyz\""},
        {"/kernels/0/options", "\"-O3\""},
        {"/kernels/0/options", "[1]"},
        {"/kernels/0/cubin", "2"},
        {"/kernels/0/cubin", "1"},  // the other one, of another architecture
        {"/kernels/0/cubin", "-1"},
        {"/kernels/0/cubin", "true"},
        {"/kernels/0/cubin", "4294967296"},
        {"/kernels/0/path", "\"/etc/passwd\""},
        {"/kernels/0/entries", "{}"},
        {"/kernels/0/entries/0", "null"},
        {"/kernels/0/entries/0/symbol", "\"\""},
        {"/kernels/0/entries/0/symbol", "\"a b\""},
        {"/kernels/0/entries/0/registers", "-1"},
        {"/kernels/0/entries/0/registers", "2147483648"},
        {"/kernels/0/entries/0/registers", "1.5"},
        {"/kernels/0/entries/0/more", "0"},
        {"/kernels/0/slow_code", "1"},
        {"/kernels/0/slow_code", "\"\""},
        {"/kernels/1/tuned", "{}"},
        {"/kernels/1/tuned/0", "7"},
        {"/kernels/1/tuned/0/device", "1"},
        {"/kernels/1/tuned/0/multiprocessors", "-1"},
        {"/kernels/1/tuned/0/rows", "0"},
        {"/kernels/1/tuned/0/rows", "3"},
        {"/kernels/1/tuned/0/len_q", "9223372036854775808"},
        {"/kernels/1/tuned/0/len_k", "\"1\""},
        {"/kernels/1/tuned/0/more", "0"},
    };
    for (const auto& [pointer, value] : changes) {
        CAPTURE(pointer, value);
        Json changed = manifest;
        changed[Json::json_pointer(pointer)] = Json::parse(value);
        CHECK_FALSE(accepted(with_manifest(good, changed.dump())));
    }
    // Each member is needed.
    for (const char* parent :
         {"", "/cubins/0", "/kernels/0", "/kernels/0/entries/0", "/kernels/1/tuned/0"}) {
        const Json object = manifest.at(Json::json_pointer(parent));
        for (const auto& member : object.items()) {
            CAPTURE(parent, member.key());
            Json changed = manifest;
            changed.at(Json::json_pointer(parent)).erase(member.key());
            CHECK_FALSE(accepted(with_manifest(good, changed.dump())));
        }
    }
}

TEST_CASE("Manifests that are no JSON object of ours are refused") {
    const std::vector<uint8_t> good = fake_bundle();
    const std::string text = manifest_of(good);
    const std::string twice = "{\"schema\":1," + text.substr(1);
    const std::vector<std::string> manifests = {
        "",
        "{}",
        "[]",
        "1",
        "\"text\"",
        "q",
        text.substr(0, text.size() - 1),
        text + "}",
        text + text,
        twice,
        std::string(text.size(), '\0'),
        "{\"schema\":1,\"generator\":\"\xff\"}",
        std::string(100000, '['),
        std::string("{\"schema\":") + std::string(100000, '['),
    };
    for (const std::string& manifest : manifests) {
        CAPTURE(manifest.substr(0, 100));
        CHECK_FALSE(accepted(with_manifest(good, manifest)));
    }
    // Nesting is allowed where it is another format's, but not without end.
    Json deep = Json::parse(text);
    deep["kernels"][0]["plan"] =
        Json::parse("{\"a\":" + std::string(50, '[') + std::string(50, ']') + "}");
    CHECK_FALSE(accepted(with_manifest(good, deep.dump())));
}

TEST_CASE("A manifest with very many members or elements is refused in no time") {
    const std::vector<uint8_t> good = fake_bundle();
    std::string members, elements;
    for (int i = 0; i < 1'000'000; ++i) {
        members += "\"" + std::to_string(i) + "\":0,";
        elements += "0,";
    }
    const Json manifest = Json::parse(manifest_of(good));
    const auto with_plan = [&](const std::string& plan) {
        std::string text = manifest.dump();
        const std::string old = "\"plan\":" + manifest["kernels"][0]["plan"].dump();
        text.replace(text.find(old), old.size(), "\"plan\":" + plan);
        return with_manifest(good, text);
    };
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(accepted(with_plan("{" + members + "\"last\":0}")));
    CHECK(accepted(with_plan("{\"a\":[" + elements + "0]}")));
    CHECK_FALSE(accepted(with_manifest(good, "{" + members + manifest.dump().substr(1))));
    CHECK_FALSE(accepted(with_manifest(good, "[" + elements + "0]")));
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
    CHECK_FALSE(accepted(with_manifest(good, std::string(kMaxManifestBytes + 1, ' '))));
}

TEST_CASE("A bundle in a file stays what it was when opened") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path() / "kernels.sjb";
    write_file(path, fake_bundle());
    const Bundle bundle = Bundle::open(path);
    bundle.verify();
    CHECK(bundle.origin() == path.string());

    SECTION("another file is renamed over it") {
        const fs::path other = directory.path() / "other";
        write_file(other, encode_bundle("0.1.0", "13.0.88", {}));
        fs::rename(other, path);
        bundle.verify();
        CHECK(Bundle::open(path).kernels().empty());
    }
    SECTION("it is removed") {
        fs::remove(path);
        bundle.verify();
    }
    SECTION("it is cut short") {
        fs::resize_file(path, 100);
        CHECK(error_of([&] { bundle.verify(); }).code() == ErrorCode::kIo);
    }
    SECTION("a cubin is overwritten") {
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(-1, std::ios::end);
        file.put('x');
        file.close();
        const Error error = error_of([&] { bundle.verify(); });
        CHECK(error.code() == ErrorCode::kInvalidInput);
        CHECK_THAT(error.message(), Contains("second") && Contains("sm_90a"));
        bundle.cubin(bundle.kernels()[0]);  // the others are still good
    }
}

TEST_CASE("What is not a regular file that can be read is an I/O error") {
    const TemporaryDirectory directory;
    CHECK(error_of([&] { Bundle::open(directory.path() / "none"); }).code() == ErrorCode::kIo);
    CHECK(error_of([&] { Bundle::open(directory.path()); }).code() == ErrorCode::kIo);
    CHECK(error_of([&] { Bundle::open("/dev/null"); }).code() == ErrorCode::kIo);
    const fs::path pipe = directory.path() / "pipe";
    REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(error_of([&] { Bundle::open(pipe); }).code() == ErrorCode::kIo);
    CHECK(error_of([&] { Bundle::open_beside_program("none.sjb"); }).code() == ErrorCode::kIo);
}

TEST_CASE("A bundle beside the program is found by its name") {
    const fs::path program = fs::read_symlink("/proc/self/exe");
    const std::string name = ".bundle-test-" + std::to_string(getpid()) + ".sjb";
    write_file(program.parent_path() / name, fake_bundle());
    const Bundle bundle = Bundle::open_beside_program(name);
    fs::remove(program.parent_path() / name);
    CHECK(bundle.kernels().size() == 3);
}

TEST_CASE("A kernel of another bundle is refused") {
    const Bundle bundle = open_in_memory(encode_bundle("0.1.0", "13.0.88", {}));
    BundleKernel kernel = fake_kernel("first", "sm_80");
    CHECK(error_of([&] { bundle.cubin(kernel); }).code() == ErrorCode::kInvalidArgument);
}
