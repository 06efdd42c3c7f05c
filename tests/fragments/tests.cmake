# Fragments compile alone and are all chosen; sources are formatted. Release builds only: sanitizers
# have nothing to find here.
if(NOT SAGEJIT_SANITIZE)
  add_test(NAME "unit: every fragment compiles alone and is chosen by a plan"
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/fragments_test.py
                   --sagejit $<TARGET_FILE:sagejit> --compiler ${CMAKE_CXX_COMPILER}
                   --root ${PROJECT_SOURCE_DIR})
  add_test(NAME "unit: sources are formatted"
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/format_test.py
                   ${PROJECT_SOURCE_DIR})
  set_tests_properties("unit: every fragment compiles alone and is chosen by a plan"
                       "unit: sources are formatted"
                       PROPERTIES LABELS unit SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()
