# Loading and launching against the stub driver, and the same tests against the real one (label
# gpu) where that makes sense.
file(GLOB driver_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
# Shipped tuning records of its own in place of configs/tuned, so that what is shipped for real GPUs
# changes nothing here.
set(driver_records ${CMAKE_CURRENT_BINARY_DIR}/driver_records.cpp)
file(GLOB driver_record_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/data/tuned/*.jsonl)
add_custom_command(
  OUTPUT ${driver_records}
  COMMAND ${CMAKE_COMMAND} -DRECORDS=${PROJECT_SOURCE_DIR}/tests/data/tuned
          -DOUTPUT=${driver_records} -P ${PROJECT_SOURCE_DIR}/runtime/tune/embed.cmake
  DEPENDS ${driver_record_files} ${PROJECT_SOURCE_DIR}/runtime/tune/embed.cmake)
add_executable(driver_tests ${driver_sources} ${driver_records} $<TARGET_OBJECTS:sagejit_catch>)
target_compile_options(driver_tests PRIVATE ${sagejit_test_flags})
target_include_directories(driver_tests PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}
                           ${PROJECT_SOURCE_DIR}/runtime/src ${PROJECT_SOURCE_DIR}/runtime)
target_include_directories(driver_tests SYSTEM PRIVATE ${SAGEJIT_CUDA_INCLUDE})
target_compile_definitions(driver_tests PRIVATE SAGEJIT_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                           SAGEJIT_STUB_CUDA="$<TARGET_FILE:sagejit_stub_cuda>"
                           SAGEJIT_STUB_NVRTC="$<TARGET_FILE:sagejit_stub_nvrtc>")
target_link_libraries(driver_tests PRIVATE sagejit_options sagejit_executable sagejit_runtime
                      Catch2::Catch2 sagejit_fmt ${CMAKE_DL_LIBS})
add_dependencies(driver_tests sagejit_stub_cuda sagejit_stub_nvrtc)
catch_discover_tests(driver_tests TEST_SPEC "[driver]" TEST_PREFIX "driver: "
                     PROPERTIES LABELS driver SKIP_RETURN_CODE 77 TIMEOUT 120)
catch_discover_tests(driver_tests TEST_SPEC "[gpu]" TEST_PREFIX "gpu driver: "
                     PROPERTIES LABELS gpu ENVIRONMENT SAGEJIT_TEST_DRIVER=real
                     SKIP_RETURN_CODE 77 TIMEOUT 600)

# Figures, and a bounded run of them in CI.
find_package(benchmark REQUIRED)
add_executable(launch_benchmark ${CMAKE_CURRENT_LIST_DIR}/../benchmark/launch_benchmark.cpp)
get_target_property(driver_includes driver_tests INCLUDE_DIRECTORIES)
target_include_directories(launch_benchmark PRIVATE ${driver_includes})
target_include_directories(launch_benchmark SYSTEM PRIVATE ${SAGEJIT_CUDA_INCLUDE})
get_target_property(driver_definitions driver_tests COMPILE_DEFINITIONS)
target_compile_definitions(launch_benchmark PRIVATE ${driver_definitions})
target_link_libraries(launch_benchmark PRIVATE sagejit_options sagejit_executable sagejit_runtime
                      benchmark::benchmark sagejit_fmt ${CMAKE_DL_LIBS})
add_dependencies(launch_benchmark sagejit_stub_cuda sagejit_stub_nvrtc)
if(NOT SAGEJIT_SANITIZE)
  add_test(NAME "driver: launch overhead"
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/../benchmark/launch_overhead_test.py
                   $<TARGET_FILE:launch_benchmark>)
  set_tests_properties("driver: launch overhead" PROPERTIES LABELS driver TIMEOUT 300 RUN_SERIAL TRUE)
endif()

# For people with a GPU: what a driver makes of contexts.
add_executable(context_probe ${CMAKE_CURRENT_LIST_DIR}/../benchmark/context_probe.cpp)
target_include_directories(context_probe SYSTEM PRIVATE ${SAGEJIT_CUDA_INCLUDE})
target_link_libraries(context_probe PRIVATE sagejit_options ${CMAKE_DL_LIBS})
