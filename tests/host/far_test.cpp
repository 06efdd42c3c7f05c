// Tensors too large for 32 bits.
#include <catch2/catch.hpp>

#include "far_tensors.h"

using namespace sagejit;
using namespace sagejit::test;

TEST_CASE("rows may lie further apart than 32 bits count") {
    for (const Case& c : far_cases()) {
        for (const Far far : {Far::kHeads, Far::kTokens}) {
            INFO(describe(c) << (far == Far::kHeads ? ", heads" : ", tokens"));
            CHECK(far_difference(c, Device::host(), far) == "");
        }
    }
}
