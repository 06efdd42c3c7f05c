# sagejit_add_kernels: kernels compiled when a program is built (docs/how-to/ahead-of-time.md).
#
#   sagejit_add_kernels(target
#     CONFIGS config.json...           relative to the current source directory
#     [TARGETS sm_80 sm_90...]         default: the target each config names
#     [TUNED]                          also the tiles that tuning records recommend
#     [ALLOW_SLOW_CODE]                also code that spills; such a kernel fails the build otherwise
#     [EMBED]                          make the bundle part of the target's binary
#     [OUTPUT name.sjb]                default: <target>.sjb
#     [INSTALL_DESTINATION directory]  without EMBED: also install the bundle there
#     [JOBS n])                        processes that compile; default: one for each processor
#
# Makes a bundle with `sagejit build`, again when a config, sagejit or NVRTC changes. With EMBED it
# is linked into the target, which has to link sagejit, and every prepare finds it. Without, it is
# put beside the target's binary, where Bundle::open_beside_program("name.sjb") opens it.
#
# To be called in the directory that creates the target, which may be an executable or a library,
# and as often as needed, each time with another OUTPUT. Works in sagejit's own tree, below
# add_subdirectory, and after find_package(sagejit).
include_guard(GLOBAL)

set(SAGEJIT_LINKED_BUNDLE_TEMPLATE ${CMAKE_CURRENT_LIST_DIR}/SagejitLinkedBundle.c.in)

function(sagejit_add_kernels target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "EMBED;TUNED;ALLOW_SLOW_CODE" "OUTPUT;INSTALL_DESTINATION;JOBS"
                        "CONFIGS;TARGETS")
  set(where "sagejit_add_kernels(${target})")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${where}: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "${where}: no value for ${arg_KEYWORDS_MISSING_VALUES}")
  endif()
  if(NOT arg_CONFIGS)
    message(FATAL_ERROR "${where}: needs CONFIGS")
  endif()
  if(arg_EMBED AND arg_INSTALL_DESTINATION)
    message(FATAL_ERROR "${where}: a bundle with EMBED is part of the target and not installed")
  endif()
  if(NOT TARGET ${target})
    message(FATAL_ERROR "${where}: there is no such target")
  endif()
  if(NOT TARGET sagejit::cli)
    message(FATAL_ERROR "${where}: there is no target sagejit::cli; add_subdirectory sagejit, or "
                        "find_package(sagejit COMPONENTS cli)")
  endif()
  get_target_property(type ${target} TYPE)
  get_target_property(directory ${target} SOURCE_DIR)
  if(type STREQUAL "INTERFACE_LIBRARY" OR type STREQUAL "UTILITY")
    message(FATAL_ERROR "${where}: the target has no binary")
  endif()
  if(NOT directory STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    message(FATAL_ERROR "${where}: call it in ${directory}, which creates the target")
  endif()

  set(output ${target}.sjb)
  if(arg_OUTPUT)
    set(output ${arg_OUTPUT})
  endif()
  get_filename_component(plain ${output} NAME)
  if(NOT plain STREQUAL output)
    message(FATAL_ERROR "${where}: OUTPUT is a file name, not a path: ${output}")
  endif()
  set(bundle ${CMAKE_CURRENT_BINARY_DIR}/sagejit/${target}/${output})
  get_property(bundles TARGET ${target} PROPERTY SAGEJIT_BUNDLES)
  if(bundle IN_LIST bundles)
    message(FATAL_ERROR "${where}: ${output} is there already; name another OUTPUT")
  endif()
  set_property(TARGET ${target} APPEND PROPERTY SAGEJIT_BUNDLES ${bundle})

  _sagejit_build_bundle(${target} ${bundle} "${arg_CONFIGS}" "${arg_TARGETS}" "${arg_JOBS}"
                        "${arg_TUNED}" "${arg_ALLOW_SLOW_CODE}")
  if(arg_EMBED)
    _sagejit_embed_bundle(${target} ${type} ${bundle})
    return()
  endif()
  string(MAKE_C_IDENTIFIER ${target}_${output}_beside beside)
  add_custom_target(${beside} ALL
    COMMAND ${CMAKE_COMMAND} -E copy_if_different ${bundle} $<TARGET_FILE_DIR:${target}>/${output}
    DEPENDS ${bundle} VERBATIM)
  add_dependencies(${target} ${beside})
  if(arg_INSTALL_DESTINATION)
    install(FILES ${bundle} DESTINATION ${arg_INSTALL_DESTINATION})
  endif()
endfunction()

# The rule that makes the file. The dependency file adds what only the tool knows, such as NVRTC.
function(_sagejit_build_bundle target bundle configs targets jobs tuned allow_slow_code)
  set(files)
  foreach(config IN LISTS configs)
    get_filename_component(file ${config} ABSOLUTE)
    get_source_file_property(is_generated ${file} GENERATED)
    if(NOT EXISTS ${file} AND NOT is_generated)
      message(FATAL_ERROR "sagejit_add_kernels(${target}): there is no ${file}")
    endif()
    list(APPEND files ${file})
  endforeach()
  set(options)
  if(targets)
    list(APPEND options --target ${targets})
  endif()
  if(jobs)
    list(APPEND options --jobs ${jobs})
  endif()
  if(tuned)
    list(APPEND options --tuned)
  endif()
  if(allow_slow_code)
    list(APPEND options --allow-slow-code)
  endif()
  get_filename_component(directory ${bundle} DIRECTORY)
  file(MAKE_DIRECTORY ${directory})
  add_custom_command(
    OUTPUT ${bundle}
    COMMAND $<TARGET_FILE:sagejit::cli> build --config ${files} ${options} --output ${bundle}
            --depfile ${bundle}.d
    DEPENDS ${files} $<TARGET_FILE:sagejit::cli>
    DEPFILE ${bundle}.d
    COMMENT "Compiling kernels of ${target}"
    VERBATIM)
endfunction()

# Links a generated file into the target that holds the bundle and makes it known.
function(_sagejit_embed_bundle target type bundle)
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  set(extension c)
  if("CXX" IN_LIST languages)
    set(extension cpp)
  endif()
  get_filename_component(SAGEJIT_BUNDLE_NAME ${bundle} NAME)
  string(SHA256 digest "${target} ${bundle}")
  string(SUBSTRING ${digest} 0 16 digest)
  set(SAGEJIT_BUNDLE_SYMBOL sagejit_bundle_${digest})
  string(REPLACE "\\" "\\\\\\\\" SAGEJIT_BUNDLE_PATH "${bundle}")
  string(REPLACE "\"" "\\\\\\\"" SAGEJIT_BUNDLE_PATH "${SAGEJIT_BUNDLE_PATH}")
  set(source ${bundle}.${extension})
  configure_file(${SAGEJIT_LINKED_BUNDLE_TEMPLATE} ${source} @ONLY)
  set_source_files_properties(${source} PROPERTIES OBJECT_DEPENDS ${bundle} SKIP_LINTING ON)

  if(NOT type STREQUAL "STATIC_LIBRARY")
    target_sources(${target} PRIVATE ${source} ${bundle})
    return()
  endif()
  # Nothing refers to the file by name, so a linker would leave it in the archive: it goes straight
  # into what links the library.
  set(objects ${target}_${digest})
  add_library(${objects} OBJECT ${source} ${bundle})
  target_include_directories(${objects} PRIVATE
                             $<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>)
  target_link_libraries(${objects} PRIVATE ${target})
  target_link_libraries(${target} INTERFACE $<BUILD_INTERFACE:$<TARGET_OBJECTS:${objects}>>)
endfunction()
