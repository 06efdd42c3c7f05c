// The seeds of the fuzzer: bundles the writer writes, and those of earlier generators, which differ
// in their plans. SAGEJIT_UPDATE_CORPUS=1 writes them anew.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "bundle/describe.h"
#include "bundle_fixture.h"
#include "configs.h"

using namespace sagejit;
namespace fs = std::filesystem;

namespace {

const fs::path kCorpus = fs::path(SAGEJIT_SOURCE_DIR) / "tests/corpus/bundles";

BuiltKernel real_kernel(const std::string& config, const std::string& target, int arch) {
    const Spec spec = test::shipped_config(config);
    const Plan plan = make_plan(spec, find_target(target));
    const Source source = emit(plan);
    std::vector<CubinEntry> entries;
    for (const std::string& symbol : source.entries) entries.push_back({symbol, 64, 0, 0, 0, 0});
    BuiltKernel built{describe_kernel(config, spec, plan, source, entries, {"--std=c++17"}),
                      fake_cubin_bytes(arch)};
    built.kernel.source_hash = std::string(32, '0');  // changes with every template
    return built;
}

std::map<std::string, std::vector<uint8_t>> seeds() {
    const std::string generator = "0.1.0-0123456789abcdef";
    return {
        {"empty.sjb", encode_bundle(generator, "13.0.88", {})},
        {"fake.sjb", fake_bundle()},
        {"small.sjb",
         encode_bundle(generator, "13.0.88", {real_kernel("thread-d64", "sm_80", 80)})},
        {"two-targets.sjb", encode_bundle(generator, "12.4.131",
                                          {real_kernel("sage-vb-d128", "sm_90", 90),
                                           real_kernel("sage-vb-d128", "sm_89", 89)})},
    };
}

std::vector<uint8_t> read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("The committed bundles are those the writer writes, and can be read") {
    for (const auto& [name, bytes] : seeds()) {
        if (std::getenv("SAGEJIT_UPDATE_CORPUS") != nullptr) {
            std::ofstream file(kCorpus / name, std::ios::binary);
            file.write(reinterpret_cast<const char*>(bytes.data()),
                       static_cast<std::streamsize>(bytes.size()));
        }
        CAPTURE(name);
        REQUIRE(fs::exists(kCorpus / name));
        // Plans change with the generator; the file stays readable whatever they were.
        Bundle::open(kCorpus / name).verify();
        CHECK(Bundle::open(kCorpus / name).kernels().size() ==
              open_in_memory(bytes).kernels().size());
    }
    CHECK(read_file(kCorpus / "fake.sjb") == fake_bundle());
    CHECK(read_file(kCorpus / "empty.sjb") == seeds().at("empty.sjb"));
}
