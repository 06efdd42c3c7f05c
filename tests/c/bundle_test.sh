#!/bin/sh
# bundle_test.sh SAGEJIT TEST CONFIG: builds a bundle of the config for sm_90 with the stub NVRTC,
# then runs the test with it where no NVRTC can be found.
set -eu
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
SAGEJIT_NVRTC=$STUB_NVRTC "$1" build --config "$3" --target sm_90 -o "$directory/kernels.sjb" --no-cache
SAGEJIT_NVRTC=/nonexistent/libnvrtc.so SAGEJIT_CACHE_DIR=$directory/cache \
    "$2" "$directory/kernels.sjb" "$3"
