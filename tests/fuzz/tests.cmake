# The bundle reader under libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, for a bounded
# time and from the seeds in tests/corpus/bundles. clang compiles the reader alone; the generator is
# the one that is built anyway.
find_program(SAGEJIT_CLANG NAMES clang++-14 clang++ DOC "clang++ with libFuzzer, for fuzzing")
if(SAGEJIT_CLANG AND NOT DEFINED SAGEJIT_CLANG_FUZZES)
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/fuzz/probe.cpp
       "extern \"C\" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }\n")
  execute_process(COMMAND ${SAGEJIT_CLANG} -fsanitize=fuzzer,address,undefined probe.cpp -o probe
                  WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/fuzz
                  RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
  if(result EQUAL 0)
    set(SAGEJIT_CLANG_FUZZES ON CACHE INTERNAL "")
  else()
    message(STATUS "No fuzzing: ${SAGEJIT_CLANG} has no libFuzzer (Debian: libclang-rt-14-dev)")
  endif()
endif()
if(NOT SAGEJIT_CLANG_FUZZES OR SAGEJIT_SANITIZE)
  return()
endif()

# One file with all of it, so that the headers they share are compiled once.
set(fuzz_sources tests/fuzz/bundle_fuzzer.cpp runtime/bundle/bundle.cpp runtime/bundle/bytes.cpp
    runtime/bundle/checksum.cpp runtime/bundle/describe.cpp runtime/bundle/layout.cpp
    runtime/bundle/manifest.cpp runtime/src/cubin.cpp runtime/src/target_rank.cpp)
list(TRANSFORM fuzz_sources REPLACE "(.+)" "#include \"\\1\"\n" OUTPUT_VARIABLE fuzz_includes)
list(JOIN fuzz_includes "" fuzz_includes)
set(fuzz_source ${CMAKE_CURRENT_BINARY_DIR}/fuzz/all.cpp)
file(CONFIGURE OUTPUT ${fuzz_source} CONTENT "${fuzz_includes}")
set(fuzz_flags -std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize=vptr,function
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
set(fuzz_object ${CMAKE_CURRENT_BINARY_DIR}/fuzz/all.o)
add_custom_command(
  OUTPUT ${fuzz_object}
  COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${SAGEJIT_CLANG} ${fuzz_flags}
          -I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/runtime
          -I${PROJECT_SOURCE_DIR}/runtime/src -I${PROJECT_SOURCE_DIR}/runtime/include
          -I${PROJECT_SOURCE_DIR}/generator/include -MD -MF ${fuzz_object}.d -MT ${fuzz_object}
          -c ${fuzz_source} -o ${fuzz_object}
  DEPENDS ${fuzz_source}
  DEPFILE ${fuzz_object}.d
  COMMENT "Compiling the bundle reader for fuzzing"
  VERBATIM)
set(fuzzer ${CMAKE_CURRENT_BINARY_DIR}/fuzz/bundle_fuzzer)
add_custom_command(
  OUTPUT ${fuzzer}
  COMMAND ${SAGEJIT_CLANG} ${fuzz_flags} ${fuzz_object} $<TARGET_FILE:sagejit_generator>
          -o ${fuzzer}
  DEPENDS ${fuzz_object} sagejit_generator
  VERBATIM)
add_custom_target(bundle_fuzzer ALL DEPENDS ${fuzzer})

# What it finds is kept beside it and read first the next time; the time is what CI can spare.
set(found ${CMAKE_CURRENT_BINARY_DIR}/fuzz/corpus)
file(MAKE_DIRECTORY ${found})
add_test(NAME "fuzz: bundles of any bytes are read or refused"
         COMMAND ${fuzzer} -max_total_time=20 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=256
                 -max_len=16384 -print_final_stats=1
                 -artifact_prefix=${CMAKE_CURRENT_BINARY_DIR}/fuzz/
                 ${found} ${PROJECT_SOURCE_DIR}/tests/corpus/bundles)
add_test(NAME "fuzz: a bundle with any byte of its header mutated is refused"
         COMMAND ${fuzzer})
set_tests_properties("fuzz: a bundle with any byte of its header mutated is refused" PROPERTIES
  ENVIRONMENT SAGEJIT_MUTATE_HEADER_OF=${PROJECT_SOURCE_DIR}/tests/corpus/bundles/two-targets.sjb)
set_tests_properties("fuzz: bundles of any bytes are read or refused"
                     "fuzz: a bundle with any byte of its header mutated is refused" PROPERTIES
                     LABELS fuzz TIMEOUT 120)
set_tests_properties("fuzz: bundles of any bytes are read or refused" PROPERTIES COST 20)
