// Hostile and damaged configs.
#include <catch2/catch.hpp>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "sagejit/generator/error.h"
#include "sagejit/generator/spec.h"
#include "spec_corpus.h"

using namespace sagejit;
using namespace sagejit::test;

TEST_CASE("spec: huge and deep texts are refused, not crashed on") {
    const auto repeat = [](const std::string& part, int count) {
        std::string text;
        for (int i = 0; i < count; ++i) text += part;
        return text;
    };
    const std::vector<std::string> texts = {
        repeat("[", 1 << 20),
        R"({"head_dim": )" + repeat("[", 1 << 20),
        repeat(R"({"qk": )", 1 << 17),
        R"({"head_dim": )" + repeat("9", 1 << 20) + "}",
        R"({"head_dim": 64, "name": ")" + repeat("x", 1 << 20),
        "{\"" + repeat("\xc3\xa9", 1 << 20) + "\": 1}",
        repeat(" ", 1 << 20),
    };
    for (const std::string& text : texts) {
        try {
            parse_spec(text);
            FAIL("accepted");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kInvalidConfig);
            CHECK(is_printable_ascii(error.what()));
            CHECK(std::string(error.what()).size() < 600);
        }
    }
    const std::string name(1 << 20, 'x');
    CHECK(parse_spec(R"({"head_dim": 64, "name": ")" + name + "\"}").name == name);
}

TEST_CASE("spec: mutated configs are accepted or refused, never anything else") {
    std::vector<File> seeds = corpus("accept");
    for (File& file : shipped()) seeds.push_back(std::move(file));
    std::vector<File> donors = seeds;  // whose ends are grafted on
    for (const char* refused : {"refuse", "refuse_text"}) {
        for (File& file : corpus(refused)) donors.push_back(std::move(file));
    }
    std::istringstream words(R"({ } [ ] , : // " \ \u \ud800 null true - 1e999 64 256 0.5 "qk" )"
                             R"("head_dim": "tile":{ "int8" "fp32_promote_int32")");
    const std::vector<std::string> tokens{std::istream_iterator<std::string>(words), {}};

    constexpr unsigned kSeed = 20261122;
    constexpr int kMutants = 20000;
    std::mt19937 random(kSeed);
    // Not uniform_int_distribution: its results differ between standard libraries.
    const auto below = [&](size_t bound) { return static_cast<size_t>(random() % bound); };
    int accepted = 0;
    for (int mutant = 0; mutant < kMutants; ++mutant) {
        std::string text = seeds[below(seeds.size())].text;
        for (size_t edits = 1 + below(3); edits > 0; --edits) {
            const size_t at = below(text.size() + 1);
            const size_t length = below(8);
            switch (below(5)) {
                case 0:
                    if (at < text.size()) text[at] = static_cast<char>(below(256));
                    break;
                case 1:
                    text.erase(at, length);
                    break;
                case 2:
                    text.insert(at, tokens[below(tokens.size())]);
                    break;
                case 3:
                    text.insert(below(text.size() + 1), text.substr(at, 4 * length));
                    break;
                case 4: {
                    const std::string& other = donors[below(donors.size())].text;
                    text = text.substr(0, at) + other.substr(below(other.size() + 1));
                    break;
                }
            }
        }
        try {
            const Spec spec = parse_spec(text, "mutant");
            ++accepted;
            if (parse_spec(to_json(spec)) == spec) continue;
            FAIL("mutant " << mutant << " changes in a round trip: " << text);
        } catch (const Error& error) {
            const bool well_formed = error.code() == ErrorCode::kInvalidConfig &&
                                     error.where().starts_with("mutant") && !error.fix().empty() &&
                                     is_printable_ascii(error.what());
            if (!well_formed) FAIL("mutant " << mutant << ": " << error.what());
        } catch (const std::exception& error) {
            FAIL("mutant " << mutant << " threw no Error: " << error.what() << "\n" << text);
        }
    }
    CHECK(accepted > kMutants / 100);
    CHECK(accepted < kMutants / 2);
}
