#include "tensor/safetensors.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <fstream>

#include "tensor/half.h"

namespace sagejit {
namespace {

namespace fs = std::filesystem;

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string pattern = (fs::temp_directory_path() / "sagejit-test-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        fs::permissions(path, fs::perms::owner_all, ignored);
        fs::remove_all(path, ignored);
    }
    fs::path path;
};

StoredTensor make_tensor(std::string name, StoredType type, std::vector<int64_t> shape) {
    StoredTensor tensor{std::move(name), type, std::move(shape), {}};
    int64_t bytes = element_bytes(type);
    for (const int64_t size : tensor.shape) bytes *= size;
    for (int64_t i = 0; i < bytes; ++i) tensor.data.push_back(static_cast<std::byte>(i * 7 + 1));
    return tensor;
}

std::vector<std::byte> file_bytes(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

// A file of this header, with the length in front and `data` zero bytes behind.
std::vector<std::byte> assemble(const std::string& json, size_t data) {
    std::vector<std::byte> bytes(8 + json.size() + data);
    const uint64_t length = json.size();
    std::memcpy(bytes.data(), &length, 8);
    std::memcpy(bytes.data() + 8, json.data(), json.size());
    return bytes;
}

}  // namespace

TEST_CASE("safetensors: what is written is read back") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path / "all.safetensors";
    const std::vector<StoredTensor> tensors = {
        make_tensor("raw", StoredType::kI8, {3}),
        make_tensor("q", StoredType::kF16, {1, 2, 3, 4}),
        make_tensor("scalar", StoredType::kF32, {}),
        make_tensor("nothing", StoredType::kBf16, {2, 0, 5}),
        make_tensor("names \"need\" \\ escapes \n \xc3\xa9", StoredType::kI64, {2}),
        make_tensor("", StoredType::kI32, {1, 1, 1, 1, 1}),
    };
    const std::map<std::string, std::string> metadata = {{"format", "pt"}, {"note", "a\tb"}};
    write_safetensors(path, tensors, metadata);

    const SafetensorsFile file = read_safetensors(path);
    CHECK(file.metadata == metadata);
    REQUIRE(file.tensors.size() == tensors.size());
    for (const StoredTensor& expected : tensors) {
        const StoredTensor& actual = file.at(expected.name);
        CHECK(actual.type == expected.type);
        CHECK(actual.shape == expected.shape);
        CHECK(actual.data == expected.data);
        CHECK(reinterpret_cast<uintptr_t>(actual.data.data()) % kTensorAlignment == 0);
    }
    // Widest elements first, so that a mapped file has every tensor aligned to its elements.
    CHECK(file.tensors.front().type == StoredType::kI64);
    CHECK(file.tensors.back().type == StoredType::kI8);

    const std::vector<std::byte> bytes = file_bytes(path);
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    CHECK(length % 8 == 0);
    CHECK(bytes.size() == 8 + length + 3 + 48 + 4 + 0 + 16 + 4);
    CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 1);
}

TEST_CASE("safetensors: the layout is the published one") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path / "x.safetensors";
    StoredTensor tensor{"x", StoredType::kBf16, {2}, {}};
    for (const int byte : {0x80, 0x3f, 0x00, 0xc0}) tensor.data.push_back(std::byte(byte));
    write_safetensors(path, std::span(&tensor, 1));
    std::string json = R"({"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})";
    json.resize((json.size() + 7) / 8 * 8, ' ');
    std::vector<std::byte> expected = assemble(json, 4);
    std::copy(tensor.data.begin(), tensor.data.end(), expected.end() - 4);
    CHECK(file_bytes(path) == expected);
}

TEST_CASE("safetensors: an empty file of no tensors") {
    CHECK(parse_safetensors(assemble("{}", 0), "x").tensors.empty());
    CHECK(parse_safetensors(assemble(R"({"__metadata__":{}}   )", 0), "x").metadata.empty());
    const TemporaryDirectory directory;
    write_safetensors(directory.path / "none", {});
    CHECK(read_safetensors(directory.path / "none").tensors.empty());
}

TEST_CASE("safetensors: tensors may come in any order, and share nothing") {
    const SafetensorsFile file =
        parse_safetensors(assemble(R"({"b":{"data_offsets":[4,6],"shape":[1],"dtype":"F16"},)"
                                   R"("e":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},)"
                                   R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                                   6),
                          "x");
    REQUIRE(file.tensors.size() == 3);
    CHECK(file.at("a").data.size() == 4);
    CHECK(file.at("b").data.size() == 2);
    CHECK(file.at("e").data.empty());
}

TEST_CASE("safetensors: a missing tensor is an error that lists those there are") {
    const SafetensorsFile file = parse_safetensors(
        assemble(R"({"query":{"dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1), "some file");
    try {
        file.at("q");
        FAIL("found");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInvalidInput);
        CHECK(error.where() == "some file");
        CHECK(error.fix() == "it holds \"query\"");
    }
}

TEST_CASE("safetensors: files that cannot be read") {
    const TemporaryDirectory directory;
    const auto code = [](const fs::path& path) {
        try {
            read_safetensors(path);
        } catch (const Error& error) {
            CHECK(error.where() == path.string());
            return error.code();
        }
        return ErrorCode::kInternal;
    };
    CHECK(code(directory.path / "absent") == ErrorCode::kIo);
    CHECK(code(directory.path) == ErrorCode::kIo);
    const fs::path pipe = directory.path / "pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(code(pipe) == ErrorCode::kIo);
    std::ofstream(directory.path / "empty").close();
    CHECK(code(directory.path / "empty") == ErrorCode::kInvalidInput);
    // A sparse file whose header claims a tebibyte of data it has not got.
    std::ofstream(directory.path / "short")
        << std::string("\x48\0\0\0\0\0\0\0", 8)
        << R"({"t":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}})";
    CHECK(code(directory.path / "short") == ErrorCode::kInvalidInput);
}

TEST_CASE("safetensors: nothing is written when something is wrong") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path / "x.safetensors";
    const auto code = [](const fs::path& where, std::vector<StoredTensor> tensors,
                         std::map<std::string, std::string> metadata = {}) {
        try {
            write_safetensors(where, tensors, metadata);
        } catch (const Error& error) {
            CHECK(error.where() == where.string());
            return error.code();
        }
        return ErrorCode::kInternal;
    };
    const StoredTensor good = make_tensor("t", StoredType::kF32, {2});
    StoredTensor wrong = good;
    wrong.data.pop_back();
    CHECK(code(path, {wrong}) == ErrorCode::kInvalidArgument);
    wrong.shape = {int64_t{1} << 62, 4};
    CHECK(code(path, {wrong}) == ErrorCode::kInvalidArgument);
    wrong.shape = {-2};
    CHECK(code(path, {wrong}) == ErrorCode::kInvalidArgument);
    CHECK(code(path, {good, good}) == ErrorCode::kInvalidArgument);
    CHECK(code(path, {make_tensor("__metadata__", StoredType::kU8, {1})}) ==
          ErrorCode::kInvalidArgument);
    CHECK(code(path, {make_tensor("\xff", StoredType::kU8, {1})}) == ErrorCode::kInvalidArgument);
    CHECK(code(path, {good}, {{"a", "\xff"}}) == ErrorCode::kInvalidArgument);
    CHECK(code(directory.path / "absent" / "x", {good}) == ErrorCode::kIo);
    CHECK(code(directory.path, {good}) == ErrorCode::kIo);
    CHECK(fs::is_empty(directory.path));
    // What is not a regular file must not be replaced by one. A pipe of our own stands for a
    // device: a real one would be lost if this ever failed.
    const fs::path pipe = directory.path / "pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(code(pipe, {good}) == ErrorCode::kIo);
    CHECK(fs::is_fifo(pipe));
    fs::remove(pipe);
    CHECK(fs::is_empty(directory.path));

    write_safetensors(path, std::span(&good, 1));
    const std::vector<std::byte> before = file_bytes(path);
    CHECK(code(path, {wrong}) == ErrorCode::kInvalidArgument);
    CHECK(file_bytes(path) == before);

    const fs::path link = directory.path / "link";
    fs::create_symlink("x.safetensors", link);
    const StoredTensor other = make_tensor("u", StoredType::kF32, {3});
    write_safetensors(link, std::span(&other, 1));
    CHECK(fs::is_symlink(link));
    CHECK(read_safetensors(path).at("u").data == other.data);
}

TEST_CASE("safetensors: a write that fails half way leaves the old file and no rest") {
    const TemporaryDirectory directory;
    const fs::path path = directory.path / "x.safetensors";
    const StoredTensor good = make_tensor("t", StoredType::kF32, {2});
    write_safetensors(path, std::span(&good, 1));
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        // A limit on file sizes makes write() fail after the first kilobyte.
        const struct rlimit limit = {1024, 1024};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        ::signal(SIGXFSZ, SIG_IGN);
        const StoredTensor large = make_tensor("t", StoredType::kF32, {4096});
        try {
            write_safetensors(path, std::span(&large, 1));
        } catch (const Error& error) {
            ::_exit(error.code() == ErrorCode::kIo ? 17 : 1);
        }
        ::_exit(2);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 17);
    CHECK(read_safetensors(path).at("t").data == good.data);
    CHECK(std::distance(fs::directory_iterator(directory.path), {}) == 1);
}

TEST_CASE("safetensors: host tensors go in and out") {
    HostTensor tensor = make_host_tensor(DataType::kBf16, {1, 2, 3, 8});
    tensor.bits()[5] = bf16_from_double(-2.5);
    const StoredTensor stored = to_stored_tensor("q", tensor);
    CHECK(stored.type == StoredType::kBf16);
    const HostTensor back = to_host_tensor(stored, "x");
    CHECK(back.dtype == tensor.dtype);
    CHECK(back.shape == tensor.shape);
    CHECK(back.data == tensor.data);
    CHECK_THROWS_AS(to_host_tensor(make_tensor("q", StoredType::kF32, {1, 2, 3, 8}), "x"), Error);
    CHECK_THROWS_AS(to_host_tensor(make_tensor("q", StoredType::kF16, {2, 3, 8}), "x"), Error);
}

}  // namespace sagejit
