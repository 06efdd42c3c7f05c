# The C API: its header, its library's symbols, and calls from C.
set(sagejit_c_headers ${PROJECT_SOURCE_DIR}/runtime/include/sagejit.h
    ${PROJECT_SOURCE_DIR}/runtime/include/sagejit/linked_bundle.h)
foreach(case "gcc;-std=c11;-Wstrict-prototypes" "clang;-std=c11;-Wstrict-prototypes"
             "g++;-std=c++11;-xc++" "clang++;-std=c++20;-xc++")
  list(POP_FRONT case compiler)
  add_test(NAME "c: the header compiles with ${compiler}"
           COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/header_test.sh ${compiler}
                   ${PROJECT_SOURCE_DIR}/runtime/include ${CMAKE_CURRENT_LIST_DIR}/header.c ${case})
  set_tests_properties("c: the header compiles with ${compiler}"
                       PROPERTIES LABELS c SKIP_RETURN_CODE 77 TIMEOUT 60)
endforeach()

if(SAGEJIT_STATIC AND NOT SAGEJIT_SANITIZE)
  set(static --static)
endif()
add_test(NAME "c: exported symbols"
         COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/symbols_test.py
                 $<TARGET_FILE:sagejit_c> ${sagejit_c_headers} ${static})
set_tests_properties("c: exported symbols" PROPERTIES LABELS c TIMEOUT 60)

foreach(name error kernel dlpack attention)
  add_executable(c_${name}_test c/${name}_test.c)
  target_include_directories(c_${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/runtime/include
                                                    ${PROJECT_SOURCE_DIR}/runtime)
  target_compile_options(c_${name}_test PRIVATE -Wpedantic -Wstrict-prototypes)
  target_link_libraries(c_${name}_test PRIVATE sagejit_options sagejit_c Threads::Threads m)
  add_test(NAME "c: ${name}" COMMAND c_${name}_test)
  set_tests_properties("c: ${name}" PROPERTIES LABELS c TIMEOUT 600)
endforeach()

# A kernel from a bundle, on the stub driver and without NVRTC.
add_executable(c_bundle_test c/bundle_test.c)
target_include_directories(c_bundle_test PRIVATE ${PROJECT_SOURCE_DIR}/runtime/include
                                                 ${PROJECT_SOURCE_DIR}/runtime)
target_compile_options(c_bundle_test PRIVATE -Wpedantic -Wstrict-prototypes)
target_link_libraries(c_bundle_test PRIVATE sagejit_options sagejit_c)
add_test(NAME "c: bundle"
         COMMAND sh ${CMAKE_CURRENT_LIST_DIR}/bundle_test.sh $<TARGET_FILE:sagejit>
                 $<TARGET_FILE:c_bundle_test> ${PROJECT_SOURCE_DIR}/configs/thread-d64.json)
set_tests_properties("c: bundle" PROPERTIES LABELS c TIMEOUT 60 ENVIRONMENT
  "STUB_NVRTC=$<TARGET_FILE:sagejit_stub_nvrtc>;SAGEJIT_LIBCUDA=$<TARGET_FILE:sagejit_stub_cuda>;SAGEJIT_STUB_DEVICES=9.0,8.0")

# In the background, and from manifests, on the stubs.
foreach(name async manifest)
  add_executable(c_${name}_test c/${name}_test.c)
  target_include_directories(c_${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/runtime/include
                                                    ${PROJECT_SOURCE_DIR}/runtime)
  target_compile_options(c_${name}_test PRIVATE -Wpedantic -Wstrict-prototypes)
  target_link_libraries(c_${name}_test PRIVATE sagejit_options sagejit_c Threads::Threads)
  add_test(NAME "c: ${name}" COMMAND c_${name}_test)
  set_tests_properties("c: ${name}" PROPERTIES LABELS c TIMEOUT 60 ENVIRONMENT
    "${sagejit_stub_environment};SAGEJIT_STUB_DEVICES=9.0")
endforeach()
