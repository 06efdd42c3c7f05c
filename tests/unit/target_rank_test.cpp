// Which compiled code a GPU runs.
#include "target_rank.h"

#include <catch2/catch.hpp>

using namespace sagejit;

TEST_CASE("Architectures are a number and at most one letter") {
    CHECK(parse_architecture("sm_90a").number == 90);
    CHECK(parse_architecture("sm_90a").suffix == "a");
    CHECK(parse_architecture("sm_100f").number == 100);
    CHECK(parse_architecture("sm_80").suffix.empty());
    for (const char* bad : {"", "sm_", "sm_8", "sm_08", "sm_90A", "sm_90aa", "sm_90-", "compute_90",
                            "sm_12345", "sm_a", "sm_90 "}) {
        CAPTURE(bad);
        CHECK(parse_architecture(bad).number == 0);
    }
}

TEST_CASE("Code for a letter runs on exactly its architecture, and is preferred there") {
    CHECK(target_rank("sm_90a", 9, 0) == 0);
    CHECK(target_rank("sm_90", 9, 0) == 1);
    CHECK(target_rank("sm_90a", 9, 1) == std::nullopt);
    CHECK(target_rank("sm_100f", 10, 0) == 0);
    CHECK(target_rank("sm_100f", 10, 3) == std::nullopt);
    CHECK(target_rank("sm_90a", 8, 0) == std::nullopt);
    CHECK(target_rank("sm_90a", 10, 0) == std::nullopt);
}

TEST_CASE("Plain code runs on the same major and a higher minor number, the nearest first") {
    CHECK(target_rank("sm_89", 8, 9) == 1);
    CHECK(target_rank("sm_86", 8, 9) < target_rank("sm_80", 8, 9));
    CHECK(target_rank("sm_86", 8, 9) > target_rank("sm_89", 8, 9));
    CHECK(target_rank("sm_89", 8, 6) == std::nullopt);
    CHECK(target_rank("sm_80", 9, 0) == std::nullopt);
    CHECK(target_rank("sm_90", 10, 0) == std::nullopt);
    CHECK(target_rank("sm_100", 10, 3) == 4);
    CHECK(target_rank("sm_120", 12, 1) == 2);
    CHECK(target_rank("sm_120", 10, 3) == std::nullopt);
}

TEST_CASE("The Tegra part shares code with no other") {
    CHECK(target_rank("sm_87", 8, 7) == 1);
    CHECK(target_rank("sm_80", 8, 7) == std::nullopt);
    CHECK(target_rank("sm_86", 8, 7) == std::nullopt);
    CHECK(target_rank("sm_87", 8, 9) == std::nullopt);
}

TEST_CASE("A text that is no target runs nowhere") {
    CHECK(target_rank("", 8, 0) == std::nullopt);
    CHECK(target_rank("host", 8, 0) == std::nullopt);
}
