# Commands in the documentation work and print what the page says. Release builds only.
if(NOT SAGEJIT_SANITIZE)
  add_test(NAME "docs: the tutorial's commands run"
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/run_tutorial.py
                   --page ${PROJECT_SOURCE_DIR}/docs/tutorial/first-kernel.md
                   --sagejit $<TARGET_FILE:sagejit>)
  add_test(NAME "docs: links lead somewhere"
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_links.py
                   ${PROJECT_SOURCE_DIR})
  add_test(NAME "docs: guides show the code of the examples"
           COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/check_code.py ${PROJECT_SOURCE_DIR})
  set_tests_properties("docs: the tutorial's commands run" "docs: links lead somewhere"
                       "docs: guides show the code of the examples"
                       PROPERTIES LABELS docs TIMEOUT 600)
endif()
