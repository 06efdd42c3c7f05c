# sagejit_add_boost_context(target): compiles against Boost.Context and takes the functions that switch
# stacks into the target's own archive, member by member, so that a program that links it needs no
# Boost, and may bring its own.
function(sagejit_add_boost_context target)
  set(Boost_USE_STATIC_LIBS ON)
  find_package(Boost REQUIRED COMPONENTS context)
  foreach(property IMPORTED_LOCATION_RELEASE IMPORTED_LOCATION_NONE IMPORTED_LOCATION)
    get_target_property(archive Boost::context ${property})
    if(archive)
      break()
    endif()
  endforeach()
  execute_process(COMMAND ${CMAKE_AR} t ${archive} OUTPUT_VARIABLE members
                  RESULT_VARIABLE failed)
  string(REGEX MATCHALL "(make|jump|ontop)_[^\n]+\\.o" members "${members}")
  list(LENGTH members count)
  if(failed OR NOT count EQUAL 3)
    message(FATAL_ERROR "${archive} does not hold the three functions of Boost.Context, but "
                        "\"${members}\": install libboost-context-dev")
  endif()
  set(directory ${CMAKE_CURRENT_BINARY_DIR}/boost_context)
  file(MAKE_DIRECTORY ${directory})
  execute_process(COMMAND ${CMAKE_AR} x ${archive} ${members} WORKING_DIRECTORY ${directory}
                  COMMAND_ERROR_IS_FATAL ANY)
  list(TRANSFORM members PREPEND ${directory}/)
  set_source_files_properties(${members} PROPERTIES EXTERNAL_OBJECT ON)
  target_sources(${target} PRIVATE ${members})
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:Boost::headers>)
endfunction()
