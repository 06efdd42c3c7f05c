# What `cmake --install` puts where. Everything finds its neighbours by relative paths, so an
# installed tree can be moved. Components: library (the shared library), development, cli.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(sagejit_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/sagejit)
set(sagejit_doc_dir ${CMAKE_INSTALL_DATAROOTDIR}/doc)

install(DIRECTORY generator/include/ runtime/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT development FILES_MATCHING PATTERN "*.h")
install(TARGETS sagejit_generator EXPORT sagejit-generator
        ARCHIVE COMPONENT development INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS sagejit_runtime sagejit_c EXPORT sagejit-runtime
        ARCHIVE COMPONENT development
        LIBRARY COMPONENT library NAMELINK_COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS sagejit EXPORT sagejit-cli RUNTIME COMPONENT cli)
install(EXPORT sagejit-generator NAMESPACE sagejit:: DESTINATION ${sagejit_cmake_dir}
        FILE sagejitGeneratorTargets.cmake COMPONENT development)
install(EXPORT sagejit-runtime NAMESPACE sagejit:: DESTINATION ${sagejit_cmake_dir}
        FILE sagejitRuntimeTargets.cmake COMPONENT development)
install(EXPORT sagejit-cli NAMESPACE sagejit:: DESTINATION ${sagejit_cmake_dir}
        FILE sagejitCliTargets.cmake COMPONENT cli)

configure_package_config_file(
  cmake/sagejitConfig.cmake.in ${PROJECT_BINARY_DIR}/sagejitConfig.cmake
  INSTALL_DESTINATION ${sagejit_cmake_dir} NO_SET_AND_CHECK_MACRO)
# 0.x: minor versions may differ in the C++ API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/sagejitConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/sagejitConfig.cmake
              ${PROJECT_BINARY_DIR}/sagejitConfigVersion.cmake
        DESTINATION ${sagejit_cmake_dir} COMPONENT development)
# Comes with what it calls.
install(FILES cmake/SagejitAddKernels.cmake cmake/SagejitLinkedBundle.c.in
        DESTINATION ${sagejit_cmake_dir} COMPONENT cli)

file(RELATIVE_PATH sagejit_pc_prefix
     /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" sagejit_pc_prefix "${sagejit_pc_prefix}")
foreach(name sagejit sagejit-cpp)
  configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
          COMPONENT development)
endforeach()

install(DIRECTORY configs/ DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/sagejit/configs COMPONENT cli)

# Manual pages and completions, as the command line prints them.
set(pages ${PROJECT_BINARY_DIR}/pages)
add_custom_command(
  OUTPUT ${pages}/done
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${pages}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${pages}/man1
  COMMAND sagejit man --output ${pages}/man1
  COMMAND sagejit completion bash > ${pages}/sagejit.bash
  COMMAND sagejit completion zsh > ${pages}/_sagejit
  COMMAND sagejit completion fish > ${pages}/sagejit.fish
  COMMAND gzip -9nr ${pages}/man1
  COMMAND ${CMAKE_COMMAND} -E touch ${pages}/done
  DEPENDS sagejit
  COMMENT "Writing manual pages" VERBATIM)
add_custom_target(sagejit_pages ALL DEPENDS ${pages}/done)
install(DIRECTORY ${pages}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT cli)
install(FILES ${pages}/sagejit.bash RENAME sagejit COMPONENT cli
        DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/bash-completion/completions)
install(FILES ${pages}/_sagejit COMPONENT cli
        DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/zsh/vendor-completions)
install(FILES ${pages}/sagejit.fish COMPONENT cli
        DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/fish/vendor_completions.d)

# One package for each component.
set(sagejit_package_library libsagejit${PROJECT_VERSION_MAJOR})
set(sagejit_package_development libsagejit-dev)
set(sagejit_package_cli sagejit)
configure_file(packaging/changelog.in ${PROJECT_BINARY_DIR}/packaging/changelog.Debian @ONLY)
configure_file(CHANGELOG.md ${PROJECT_BINARY_DIR}/packaging/changelog COPYONLY)
execute_process(COMMAND gzip -9nkf changelog changelog.Debian COMMAND_ERROR_IS_FATAL ANY
                WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/packaging)
foreach(component library development cli)
  install(FILES packaging/copyright ${PROJECT_BINARY_DIR}/packaging/changelog.gz
                ${PROJECT_BINARY_DIR}/packaging/changelog.Debian.gz
          DESTINATION ${sagejit_doc_dir}/${sagejit_package_${component}} COMPONENT ${component})
endforeach()
install(FILES README.md COMPONENT development
        DESTINATION ${sagejit_doc_dir}/${sagejit_package_development})
install(DIRECTORY docs/examples COMPONENT development
        DESTINATION ${sagejit_doc_dir}/${sagejit_package_development})
