# Every verb, run as a user would, with good and bad arguments.
set(sagejit_cli_environment
    SAGEJIT=$<TARGET_FILE:sagejit> SAGEJIT_SOURCE_DIR=${PROJECT_SOURCE_DIR}
    SAGEJIT_CACHE_DIR=${CMAKE_CURRENT_BINARY_DIR}/cli-cache SAGEJIT_SANITIZE=${SAGEJIT_SANITIZE}
    SAGEJIT_STUB_NVRTC=$<TARGET_FILE:sagejit_stub_nvrtc>
    SAGEJIT_STUB_CUDA=$<TARGET_FILE:sagejit_stub_cuda> PYTHONDONTWRITEBYTECODE=1)
foreach(name usage completion examples inspect calibrate browser emit make_input compile build run hostile_input verify bench bench_peers tune tuning_claims doctor reference)
  add_test(NAME "cli: ${name}" COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/${name}_test.py)
  set_tests_properties("cli: ${name}" PROPERTIES LABELS cli TIMEOUT 600 SKIP_RETURN_CODE 77
                       ENVIRONMENT "${sagejit_cli_environment}")
endforeach()
# The longest first: tests/costs.cmake.
set_tests_properties("cli: tune" PROPERTIES COST 70)
set_tests_properties("cli: examples" "cli: browser" "cli: build" "cli: inspect" "cli: calibrate"
                     PROPERTIES COST 15)

# The JSON schema gives the verdicts the parser gives.
add_test(NAME "cli: schema" COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/schema_test.py
                                    ${PROJECT_SOURCE_DIR})
set_tests_properties("cli: schema" PROPERTIES LABELS cli TIMEOUT 60)
