// Values in e4m3, by the wgmma family on the host device. Its sums are those of fp32; a GPU's
// shorter ones are seen on GPUs only.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "cases.h"

using namespace sagejit;
using namespace sagejit::test;

TEST_CASE("every kind of fp8 spec is right on ragged shapes") {
    for (const Spec& spec : fp8_specs()) {
        for (const Layout layout : {Layout::kTokenMajor, Layout::kOdd}) {
            Case c;
            c.spec = spec;
            c.shape = {1, 4, 2, 201, 389};
            c.layout = layout;
            c.host_seed = 7;
            CHECK(check_case(c, Device::host()) == "");
        }
    }
}
