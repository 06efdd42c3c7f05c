#include "catch_session.h"

int main(int argc, char** argv) { return sagejit::test::run_catch(argc, argv); }
