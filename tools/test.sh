#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test that needs no GPU. The last line of the
# output counts them: "N passed, N failed", then ", N skipped" where some were.
set -uo pipefail

usage() {
    cat <<'TEXT'
Usage: tools/test.sh [--quick]

Installs what is missing, builds the release preset, and runs every test that needs no GPU: first
all tests of the release build (those that need a GPU skip where there is none), then the host
device and its kernels under AddressSanitizer and UndefinedBehaviorSanitizer, then under
ThreadSanitizer.

  --quick   without the sanitizers
  --help    print this

The last line of the output is "N passed, N failed", with ", N skipped" behind it where tests
skipped. The exit status is 0 when nothing failed. Builds are kept in build/, so a second run is
faster. What failed is printed, and kept in build/release/Testing/Temporary/LastTest.log.
TEXT
}

quick=false
for argument in "$@"; do
    case "$argument" in
        --quick) quick=true ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "test: unknown option $argument" >&2
            usage >&2
            exit 2
            ;;
    esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
jobs=$(nproc)
passed=0 failed=0 skipped=0

# Kernels the tests compile are kept apart from the user's.
export SAGEJIT_CACHE_DIR="$PWD/build/test-cache"

finish() {
    local line="$passed passed, $failed failed"
    [ "$skipped" -eq 0 ] || line+=", $skipped skipped"
    echo "$line"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}
trap 'failed=$((failed + 1)); echo "test: interrupted" >&2; finish' INT TERM

# stage NAME COMMAND...: runs it, and says on stderr how long it took.
stage() {
    local name=$1 status=0 start=$SECONDS
    shift
    "$@" || status=$?
    echo "test: $name: $((SECONDS - start)) s$([ $status -eq 0 ] || echo ", failed")" >&2
    return $status
}

# A stage that is no test itself, but whose failure must be counted.
required_stage() {
    stage "$@" && return
    failed=$((failed + 1))
    return 1
}

build_release() {
    cmake --preset release -DSAGEJIT_TESTS=ON > build/configure.log 2>&1 || {
        cat build/configure.log >&2
        return 1
    }
    cmake --build --preset release -j "$jobs"
}

# Prints "passed failed skipped" of one JUnit file as CTest writes it, and the failed names on
# stderr. A test that could not be run counts as failed; only one that asked to be is skipped.
count_tests() {
    python3 - "$1" <<'PYTHON'
import re
import sys

try:
    text = open(sys.argv[1], encoding="utf-8", errors="replace").read()
except OSError:
    text = ""
counts = {"passed": 0, "failed": 0, "skipped": 0}
for case in re.split(r"<testcase ", text)[1:]:
    name = re.search(r'name="([^"]*)"', case).group(1)
    status = re.search(r'status="(\w+)"', case).group(1)
    asked = re.search(r'<skipped message="SKIP_', case)
    if status == "run":
        verdict = "passed"
    elif status == "disabled" or (status == "notrun" and asked):
        verdict = "skipped"
    else:
        verdict = "failed"
        print(f"test: failed: {name}", file=sys.stderr)
    counts[verdict] += 1
if sum(counts.values()) == 0:
    print(f"test: no tests in {sys.argv[1]}", file=sys.stderr)
    counts["failed"] = 1
print(*counts.values())
PYTHON
}

# run_tests NAME CTEST-OPTION...: adds to the counts.
run_tests() {
    local junit="$PWD/build/tests-$1.xml" status=0 p f s
    shift
    rm -f "$junit"
    ctest --test-dir build/release --output-on-failure --parallel "$jobs" --timeout 600 \
        --output-junit "$junit" "$@" || status=$?
    read -r p f s < <(count_tests "$junit")
    : "${p:=0}" "${f:=1}" "${s:=0}"
    [ "$status" -eq 0 ] || [ "$f" -gt 0 ] || f=1  # ctest itself failed
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    [ "$f" -eq 0 ]
}

mkdir -p build
required_stage "install" tools/install-dependencies.sh --tests || finish
required_stage "build" build_release || finish
stage "test release" run_tests release -LE '^(asan|tsan)$'
if ! $quick; then
    # The release build has run all random cases; sanitizers run a share of them.
    SAGEJIT_FUZZ_CASES=60 stage "test asan" run_tests asan -L '^asan$'
    SAGEJIT_FUZZ_CASES=20 stage "test tsan" run_tests tsan -L '^tsan$'
fi
echo "test: all stages: $SECONDS s" >&2
finish
