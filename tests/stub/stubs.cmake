# Stub libcuda and libnvrtc, for tests on machines without them (stub/stub_driver.h). Built beside
# each other, under the names programs look for.
file(GLOB stub_cuda_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
add_library(sagejit_stub_cuda SHARED ${stub_cuda_sources})
set_target_properties(sagejit_stub_cuda PROPERTIES OUTPUT_NAME cuda SUFFIX .so.1)
add_library(sagejit_stub_nvrtc SHARED ${CMAKE_CURRENT_LIST_DIR}/nvrtc/nvrtc.cpp
                                      ${CMAKE_CURRENT_LIST_DIR}/cubin_file.cpp)
set_target_properties(sagejit_stub_nvrtc PROPERTIES OUTPUT_NAME nvrtc SUFFIX .so.13)
target_include_directories(sagejit_stub_nvrtc PRIVATE ${PROJECT_SOURCE_DIR}/runtime/src)
foreach(target sagejit_stub_cuda sagejit_stub_nvrtc)
  set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/stub)
  target_include_directories(${target} SYSTEM PRIVATE ${SAGEJIT_CUDA_INCLUDE})
  target_link_libraries(${target} PRIVATE sagejit_options)
endforeach()

# What a test's environment needs to use them.
set(sagejit_stub_environment SAGEJIT_LIBCUDA=$<TARGET_FILE:sagejit_stub_cuda>
                             SAGEJIT_NVRTC=$<TARGET_FILE:sagejit_stub_nvrtc>)
