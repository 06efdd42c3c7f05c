# Debian packages: cpack -G DEB, in the build directory. libsagejit0 is the shared library,
# libsagejit-dev what programs are built with, sagejit the command line. Configure with
# -DCMAKE_INSTALL_PREFIX=/usr (the preset "package") for Debian's library directories.
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PACKAGE_NAME sagejit)
set(CPACK_PACKAGE_VENDOR "the sagejit authors")
set(CPACK_PACKAGE_CONTACT "The sagejit authors <sagejit@localhost>" CACHE STRING
    "Maintainer of the packages, \"Name <address>\"")
set(CPACK_PACKAGE_FILE_NAME sagejit-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL library development cli)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
# Directories are 0755 whatever umask the packager has.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
    GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

# The first line of each description is the package's synopsis.
set(summary "A config in JSON says what attention is wanted; sagejit plans it for a GPU,
writes one CUDA source, compiles it with NVRTC when it is needed, keeps the
result in a cache and launches it. Q and K are quantized to int8 as in
SageAttention.")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${sagejit_package_library})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "quantized attention, compiled at run time (library)
${summary}
.
This package holds the shared library of the C API. It opens the NVIDIA driver
and NVRTC where there are any, and runs without them.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA "${PROJECT_BINARY_DIR}/packaging/triggers")
file(WRITE ${PROJECT_BINARY_DIR}/packaging/triggers "activate-noawait ldconfig\n")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME ${sagejit_package_development})
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
    "${sagejit_package_library} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS sagejit)
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "quantized attention, compiled at run time (development)
${summary}
.
This package holds headers for C and C++, static libraries of the C++ API, and
files for CMake and pkg-config.")

set(CPACK_DEBIAN_CLI_PACKAGE_NAME ${sagejit_package_cli})
set(CPACK_DEBIAN_CLI_PACKAGE_SECTION devel)
# The host device compiles kernels with it.
set(CPACK_DEBIAN_CLI_PACKAGE_RECOMMENDS g++)
set(CPACK_COMPONENT_CLI_DESCRIPTION "kernel compiler for quantized attention
${summary}
.
This package holds the command line: emit, plan, compile, run, verify, doctor.")

include(CPack)
