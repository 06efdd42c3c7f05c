# sagejit_fmt: fmt with its functions compiled once instead of in every file that formats, which
# takes the compiler a second or two each. sagejit_add_fmt(target) compiles them into the target's
# own archive, so that a program that links it needs no fmt. They are weak, so that it may bring its
# own of the same version.
add_library(sagejit_fmt INTERFACE)
if(fmt_VERSION VERSION_LESS 9 OR fmt_VERSION VERSION_GREATER_EQUAL 10)
  # What has to be compiled is known of fmt 9.
  target_link_libraries(sagejit_fmt INTERFACE fmt::fmt-header-only)
else()
  get_target_property(sagejit_fmt_include fmt::fmt-header-only INTERFACE_INCLUDE_DIRECTORIES)
  target_include_directories(sagejit_fmt SYSTEM INTERFACE ${sagejit_fmt_include})
endif()

function(sagejit_add_fmt target)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:sagejit_fmt>)
  get_target_property(linked sagejit_fmt INTERFACE_LINK_LIBRARIES)
  if(linked)
    return()
  endif()
  set(source ${CMAKE_CURRENT_BINARY_DIR}/compiled_fmt.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT [[
#include <fmt/format.h>
#undef FMT_FUNC
#define FMT_FUNC __attribute__((weak))
#include <fmt/format-inl.h>

namespace fmt::detail {
template auto thousands_sep_impl<char>(locale_ref) -> thousands_sep_result<char>;
template auto thousands_sep_impl<wchar_t>(locale_ref) -> thousands_sep_result<wchar_t>;
template auto decimal_point_impl(locale_ref) -> char;
template auto decimal_point_impl(locale_ref) -> wchar_t;
template auto dragonbox::to_decimal(float) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double) noexcept -> dragonbox::decimal_fp<double>;
template locale_ref::locale_ref(const std::locale&);
template auto locale_ref::get<std::locale>() const -> std::locale;
}  // namespace fmt::detail
]] @ONLY)
  target_sources(${target} PRIVATE ${source})
endfunction()
