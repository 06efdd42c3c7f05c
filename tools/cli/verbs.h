// The verbs. Each add_* declares one on the command line.
#pragma once

#include "verb.h"

namespace sagejit::cli {

void add_emit(CommandLine& line);
void add_plan(CommandLine& line);
void add_compile(CommandLine& line);
void add_build(CommandLine& line);
void add_bundle(CommandLine& line);
void add_make_input(CommandLine& line);
void add_run(CommandLine& line);
void add_verify(CommandLine& line);
void add_bench(CommandLine& line);
void add_tune(CommandLine& line);
void add_cache(CommandLine& line);
void add_doctor(CommandLine& line);
void add_calibrate(CommandLine& line);
void add_inspect(CommandLine& line);
void add_completion(CommandLine& line);
void add_man(CommandLine& line);

}  // namespace sagejit::cli
