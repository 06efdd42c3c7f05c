#!/bin/sh
# header_test.sh COMPILER INCLUDE-DIR FILE FLAGS...: the C header compiles without a warning. Skips
# where there is no such compiler. The C++ header, included from C, says what to include instead.
set -eu
compiler=$1 include=$2 file=$3
shift 3
command -v "$compiler" > /dev/null || { echo "$compiler is not installed" >&2; exit 77; }
"$compiler" "$@" -Wall -Wextra -Wpedantic -Wshadow -Wno-unknown-warning-option \
    -Werror -I"$include" -fsyntax-only "$file"
