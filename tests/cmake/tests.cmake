# sagejit_add_kernels in a project of its own, against what was just built.
get_target_property(boost_context_file Boost::context IMPORTED_LOCATION_RELEASE)
if(NOT boost_context_file)
  get_target_property(boost_context_file Boost::context IMPORTED_LOCATION)
endif()
set(build_tree ${CMAKE_CURRENT_BINARY_DIR}/build-tree-$<CONFIG>.cmake)
file(GENERATE OUTPUT ${build_tree} CONTENT "
add_executable(sagejit::cli IMPORTED)
set_target_properties(sagejit::cli PROPERTIES IMPORTED_LOCATION \"$<TARGET_FILE:sagejit>\")
find_package(Threads REQUIRED)
add_library(sagejit::runtime STATIC IMPORTED)
set_target_properties(sagejit::runtime PROPERTIES
  IMPORTED_LOCATION \"$<TARGET_FILE:sagejit_runtime>\"
  INTERFACE_INCLUDE_DIRECTORIES \"${PROJECT_SOURCE_DIR}/runtime/include;${PROJECT_SOURCE_DIR}/generator/include\"
  INTERFACE_LINK_LIBRARIES \"$<TARGET_FILE:sagejit_generator>;${boost_context_file};Threads::Threads;${CMAKE_DL_LIBS}\")
include(\"${PROJECT_SOURCE_DIR}/cmake/SagejitAddKernels.cmake\")
")
if(NOT SAGEJIT_SANITIZE)
  add_test(NAME "cmake: kernels are compiled when a program is built"
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/consumer_test.py)
  set_tests_properties("cmake: kernels are compiled when a program is built" PROPERTIES
    LABELS cmake TIMEOUT 600 SKIP_RETURN_CODE 77
    ENVIRONMENT "SAGEJIT=$<TARGET_FILE:sagejit>;SAGEJIT_BUILD_TREE=${build_tree};SAGEJIT_CMAKE=${CMAKE_COMMAND};SAGEJIT_STUB_CUDA=$<TARGET_FILE:sagejit_stub_cuda>;SAGEJIT_STUB_NVRTC=$<TARGET_FILE:sagejit_stub_nvrtc>;PYTHONDONTWRITEBYTECODE=1")
endif()
