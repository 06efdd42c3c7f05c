#include "catch_session.h"

#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

int sagejit::test::run_catch(int argc, char** argv) { return Catch::Session().run(argc, argv); }
