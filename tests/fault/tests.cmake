# Faults that happen to users, made to happen here.
add_library(sagejit_io_shim SHARED ${CMAKE_CURRENT_LIST_DIR}/io_shim.c)
set_target_properties(sagejit_io_shim PROPERTIES C_STANDARD 11 C_EXTENSIONS ON
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/stub)
target_compile_options(sagejit_io_shim PRIVATE -Wall -Wextra -Wshadow -Werror)
target_link_libraries(sagejit_io_shim PRIVATE ${CMAKE_DL_LIBS})

set(sagejit_fault_environment
    SAGEJIT=$<TARGET_FILE:sagejit> SAGEJIT_SOURCE_DIR=${PROJECT_SOURCE_DIR}
    SAGEJIT_SANITIZE=${SAGEJIT_SANITIZE} SAGEJIT_IO_SHIM=$<TARGET_FILE:sagejit_io_shim>
    ${sagejit_stub_environment} PYTHONDONTWRITEBYTECODE=1)
foreach(name cache known_nvrtc)
  add_test(NAME "cli: ${name}" COMMAND /usr/bin/python3
                                       ${CMAKE_CURRENT_LIST_DIR}/../cli/${name}_test.py)
  set_tests_properties("cli: ${name}" PROPERTIES LABELS cli TIMEOUT 300
                       ENVIRONMENT "${sagejit_fault_environment}")
endforeach()
set_tests_properties("cli: known_nvrtc" PROPERTIES COST 15)

# A preloaded library comes before the sanitizers' own, which they refuse.
if(NOT SAGEJIT_SANITIZE)
  foreach(name cache_faults cold_start)
    add_test(NAME "fault: ${name}" COMMAND /usr/bin/python3
                                           ${CMAKE_CURRENT_LIST_DIR}/${name}_test.py)
    set_tests_properties("fault: ${name}" PROPERTIES LABELS fault TIMEOUT 300
                         SKIP_RETURN_CODE 77 ENVIRONMENT "${sagejit_fault_environment}")
  endforeach()
  set_tests_properties("fault: cache_faults" PROPERTIES COST 15)
endif()
