# The installed package: what is in it, and the projects of docs/examples built against it. They see
# the installed tree alone, moved from where it was installed.
if(SAGEJIT_SANITIZE OR NOT SAGEJIT_INSTALL)
  return()
endif()
set(stage ${CMAKE_CURRENT_BINARY_DIR}/package)
set(sagejit_package_environment
    PYTHONDONTWRITEBYTECODE=1 BUILD_DIR=${PROJECT_BINARY_DIR} SOURCE_DIR=${PROJECT_SOURCE_DIR}
    STAGE=${stage} LIBDIR=${CMAKE_INSTALL_LIBDIR} VERSION=${PROJECT_VERSION}
    CMAKE=${CMAKE_COMMAND} CXX=${CMAKE_CXX_COMPILER} CC=${CMAKE_C_COMPILER}
    SAGEJIT_STUB_CUDA=$<TARGET_FILE:sagejit_stub_cuda>
    SAGEJIT_STUB_NVRTC=$<TARGET_FILE:sagejit_stub_nvrtc>)
function(sagejit_add_package_test name)
  add_test(NAME "package: ${name}"
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/package_test.py ${name})
  set_tests_properties("package: ${name}" PROPERTIES LABELS package TIMEOUT 600
                       SKIP_RETURN_CODE 77 ENVIRONMENT "${sagejit_package_environment}")
endfunction()

sagejit_add_package_test(install)
set_tests_properties("package: install" PROPERTIES FIXTURES_SETUP sagejit_installed)
foreach(name jit-cpp aot-cpp plain-c pkg-config components command-line)
  sagejit_add_package_test(${name})
  set_tests_properties("package: ${name}" PROPERTIES FIXTURES_REQUIRED sagejit_installed)
endforeach()
sagejit_add_package_test(deb)
sagejit_add_package_test(subdirectory)
