#!/usr/bin/env bash
# Installs what building and testing sagejit needs and this machine lacks (Debian 12 packages), and
# checks that the CUDA toolkit is there. Quiet when there is nothing to do; safe to run again.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tools/install-dependencies.sh [--tests] [--check]

Installs the Debian packages that sagejit needs and this machine lacks, with apt-get, as root or
through sudo. Checks that the CUDA toolkit's cuda.h, nvrtc.h and libnvrtc are there; it does not
install the toolkit.

  --tests   also the shells, the manual page reader and the browser that some tests need; where one
            of them cannot be had, its tests skip
  --check   install nothing; fail when something is missing
  --help    print this

CUDA_HOME or CUDA_PATH name a toolkit outside the usual places; SAGEJIT_NVRTC names one libnvrtc.
TEXT
}

check_only=false
for_tests=false
for argument in "$@"; do
    case "$argument" in
        --check) check_only=true ;;
        --tests) for_tests=true ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "install-dependencies: unknown option $argument" >&2
            usage >&2
            exit 2
            ;;
    esac
done

fail() {
    echo "install-dependencies: error: $1" >&2
    shift
    printf '    %s\n' "$@" >&2
    exit 1
}

# --- CUDA toolkit ---------------------------------------------------------------------------

# Toolkit directories, in the order the build and sagejit look in them.
cuda_roots() {
    local root
    for root in "${CUDA_HOME:-}" "${CUDA_PATH:-}" /usr/local/cuda; do
        [ -z "$root" ] || echo "$root"
    done | awk '!seen[$0]++'
}

# find_file WHAT CANDIDATE...: succeeds when one exists; else adds all to `searched`.
searched=()
absent=()
find_file() {
    local what=$1 candidate
    shift
    for candidate in "$@"; do
        compgen -G "$candidate" > /dev/null && return 0
    done
    absent+=("$what")
    searched+=("$@")
}

headers=() libraries=()
while read -r root; do
    headers+=("$root/include/")
    libraries+=("$root/lib64/")
done < <(cuda_roots)

headers+=(/usr/local/include/ /usr/include/)
find_file cuda.h "${headers[@]/%/cuda.h}"
find_file nvrtc.h "${headers[@]/%/nvrtc.h}"
if [ -n "${SAGEJIT_NVRTC:-}" ]; then
    find_file libnvrtc "$SAGEJIT_NVRTC"
elif ! ldconfig -p 2> /dev/null | grep -qE 'libnvrtc\.so\.1[23]\b' &&
    ! compgen -G "${HOME:-/nonexistent}/.local/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.1[23]" \
        > /dev/null; then
    find_file libnvrtc "${libraries[@]/%/libnvrtc.so.1[23]}"
fi

if [ "${#absent[@]}" -gt 0 ]; then
    fail "the CUDA toolkit is missing or incomplete: no ${absent[*]}" \
        "looked for:" "${searched[@]/#/  }" \
        "install CUDA 12 or 13 (package cuda-toolkit of NVIDIA's repository; Debian's own" \
        "nvidia-cuda-toolkit is too old): https://developer.nvidia.com/cuda-downloads" \
        "or set CUDA_HOME to a toolkit elsewhere"
fi

# --- Debian packages ------------------------------------------------------------------------

has_command() { command -v "$1" > /dev/null 2>&1; }
has_header() { [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ]; }
has_boost_context() {
    has_header boost/context/detail/fcontext.hpp &&
        compgen -G '/usr/lib/*/libboost_context.a' > /dev/null
}
has_fuzzer() { compgen -G '/usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a' > /dev/null; }
has_python_module() { /usr/bin/python3 -c "import $1" > /dev/null 2>&1; }

# package, then how to tell that what it brings is here.
packages=(
    "cmake            has_command cmake"
    "ninja-build      has_command ninja"
    "g++              has_command g++"
    "ccache           has_command ccache"
    "clang-14         has_command clang++-14"
    "libclang-rt-14-dev has_fuzzer"
    "python3          test -x /usr/bin/python3"
    "python3-jsonschema has_python_module jsonschema"
    "libfmt-dev       has_header fmt/format.h"
    "nlohmann-json3-dev has_header nlohmann/json.hpp"
    "catch2           has_header catch2/catch.hpp"
    "libcli11-dev     has_header CLI/CLI.hpp"
    "libxxhash-dev    has_header xxhash.h"
    "libbenchmark-dev has_header benchmark/benchmark.h"
    "libboost-context-dev has_boost_context"
    "pkg-config       has_command pkg-config"
    "dpkg-dev         has_command dpkg-shlibdeps"
)

# The same for what only tests use, and can do without.
test_packages=(
    "zsh              has_command zsh"
    "fish             has_command fish"
    "mandoc           has_command mandoc"
    "chromium-headless-shell has_command chromium-headless-shell"
)

# Prints those of the given packages whose contents are not here.
missing_of() {
    local entry name probe
    for entry in "$@"; do
        read -r name probe <<< "$entry"
        $probe || echo "$name"
    done
}
missing_packages() { missing_of "${packages[@]}"; }

install_packages() {
    local -a as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        has_command sudo || fail "these packages are missing: $*" \
            "run this script as root, or install sudo, or run as root:" "apt-get install $*"
        as_root=(sudo)
    fi
    echo "install-dependencies: installing $*" >&2
    local log
    log=$(mktemp)
    # shellcheck disable=SC2064  # the name is known now
    trap "rm -f '$log'" EXIT
    local -a apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
    if ! { "${as_root[@]}" "${apt[@]}" update &&
        "${as_root[@]}" "${apt[@]}" install -y --no-install-recommends "$@"; } > "$log" 2>&1; then
        cat "$log" >&2
        fail "apt-get could not install: $*" "its messages are above"
    fi
}

mapfile -t missing < <(missing_packages)
if [ "${#missing[@]}" -gt 0 ]; then
    $check_only && fail "these packages are missing: ${missing[*]}" \
        "run tools/install-dependencies.sh without --check"
    if ! has_command apt-get; then
        fail "this machine has no apt-get, so the script cannot install: ${missing[*]}" \
            "sagejit is built on Debian 12; elsewhere install the packages of those names" \
            "(cmake 3.25 or newer, a C++20 compiler, fmt 9, Catch2 2.13) and run this again"
    fi
    install_packages "${missing[@]}"
    mapfile -t missing < <(missing_packages)
    if [ "${#missing[@]}" -gt 0 ]; then
        fail "still missing after installing: ${missing[*]}" \
            "is another tool of that name first on PATH?"
    fi
fi

$for_tests || exit 0
mapfile -t missing < <(missing_of "${test_packages[@]}")
if [ "${#missing[@]}" -gt 0 ]; then
    if $check_only; then
        echo "install-dependencies: some tests will skip without: ${missing[*]}" >&2
    # In a subshell: a failure ends that, not this.
    elif ! has_command apt-get || ! (install_packages "${missing[@]}"); then
        echo "install-dependencies: some tests will skip without: ${missing[*]}" >&2
    fi
fi
