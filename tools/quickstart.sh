#!/usr/bin/env bash
# From a fresh machine to attention on a language model's tensors: installs, builds, and goes
# config -> source -> cubin -> attention -> accuracy table, on a GPU if there is one.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tools/quickstart.sh [--device DEVICE]

Installs what is missing, builds sagejit, and runs attention on tensors captured from a language
model (tests/data/smollm2), from the config to a table of accuracy.

  --device DEVICE   host or cuda:N (default: cuda:0 where there is a usable GPU, else host)
  --help            print this

Results are in build/quickstart/. Safe to run again: it builds what changed and writes them anew.
TEXT
}

device=
while [ $# -gt 0 ]; do
    case "$1" in
        --device)
            [ $# -ge 2 ] || {
                echo "quickstart: --device needs a value" >&2
                exit 2
            }
            device=$2
            shift 2
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            echo "quickstart: unknown option $1" >&2
            usage >&2
            exit 2
            ;;
    esac
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '\n== %s\n' "$*"; }
# Prints a command as a reader may type it, then runs it.
show() {
    printf '\n$ %s\n' "$*"
    "$@"
}

config=configs/thread-d64-causal.json
input=tests/data/smollm2/layer19.safetensors
table=(sage-t-d64 sage-b-d64 sage-vt-d64 thread-d64 thread-d64-causal)
sagejit=build/release/sagejit
results=build/quickstart

step "Install what is missing"
tools/install-dependencies.sh

step "Build"
mkdir -p build
log=build/quickstart-build.log
if ! { cmake --preset release &&
    cmake --build --preset release -j "$(nproc)" --target sagejit; } > "$log" 2>&1; then
    tail -n 50 "$log" >&2
    echo "quickstart: the build failed; all of its output is in $log" >&2
    exit 1
fi
echo "$sagejit ($("$sagejit" --version))"
mkdir -p "$results"

step "What this machine offers"
show "$sagejit" doctor

# The GPU that is used decides the target; without one, one that a driver could run later.
target=$("$sagejit" doctor --json | python3 -c '
import json, sys
wanted = sys.argv[1] or "cuda:0"
gpus = json.load(sys.stdin)["gpus"]
print(next((gpu["target"] for gpu in gpus if gpu["ok"] and gpu["device"] == wanted), "sm_89"))
' "$device")

step "Config"
show cat "$config"

step "Config to source"
show "$sagejit" emit --config "$config" --target "$target" --output "$results/attention.cu"
wc -l < "$results/attention.cu" | sed 's/$/ lines of CUDA C++/'

step "Source to cubin"
show "$sagejit" compile --config "$config" --target "$target" --output "$results/attention.cubin"

on_device=()
[ -z "$device" ] || on_device=(--device "$device")

step "Attention on layer 19 of SmolLM2-135M: 9 query heads, 3 key heads, 1024 tokens"
show "$sagejit" run --config "$config" --input "$input" \
    --output "$results/attention.safetensors" "${on_device[@]}"

step "Accuracy against fp64 attention"
configs=("${table[@]/#/configs/}")
configs=("${configs[@]/%/.json}")
verify=("$sagejit" verify --config "${configs[@]}" --input "$input" --markdown "${on_device[@]}")
printf '\n$ %s\n' "${verify[*]}"
"${verify[@]}" | tee "$results/accuracy.md"

cat <<TEXT

== Done
$results/attention.cu           the kernels' source
$results/attention.cubin        compiled for $target
$results/attention.safetensors  o, as attention gave it
$results/accuracy.md            the table above

Next:
  docs/tutorial/first-kernel.md   a config of your own
  $sagejit --help      every verb; add --help to a verb for its options
  tools/test.sh                   every test that needs no GPU
TEXT
