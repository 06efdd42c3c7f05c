#!/usr/bin/env bash
# Writes docs/reference/accuracy.md: accuracy of every granularity, with and without smoothing, on
# the captured tensors and on drawn ones, against fp64.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: tools/accuracy_table.sh [--device host|cuda:N] [-o FILE]

Runs `sagejit verify` for every granularity, with and without smoothing of K, on the tensors of
tests/data/smollm2 (causal, head_dim 64) and on each distribution of `sagejit make-input`
(not causal, head_dim 128, 1024 tokens), and writes the tables as Markdown.

  --device D   where to run (default: cuda:0 if there is one, else the host device, some minutes)
  -o FILE      default docs/reference/accuracy.md
TEXT
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
sagejit=build/release/sagejit
output=docs/reference/accuracy.md
device=()
while [ $# -gt 0 ]; do
    case "$1" in
        --device) device=(--device "${2:?--device needs a value}"); shift 2 ;;
        -o) output=${2:?-o needs a file}; shift 2 ;;
        -h | --help) usage; exit 0 ;;
        *) echo "accuracy_table: unknown option $1" >&2; usage >&2; exit 2 ;;
    esac
done
[ -x "$sagejit" ] || { echo "accuracy_table: build first: cmake --build --preset release" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# config NAME HEAD_DIM CAUSAL GRANULARITY SMOOTH PV
config() {
    cat > "$work/$1.json" <<JSON
{"head_dim": $2, "causal": "$3", "qk": {"granularity": "$4", "smooth_k": $5}, "pv": {"type": "$6"}}
JSON
    configs+=("$work/$1.json")
}

# configs_for HEAD_DIM CAUSAL: fills `configs`
configs_for() {
    configs=()
    local granularity
    for granularity in thread token warp block tensor; do
        config "$granularity" "$1" "$2" "$granularity" true fp16
    done
    config thread-not-smoothed "$1" "$2" thread false fp16
    config block-not-smoothed "$1" "$2" block false fp16
    config tensor-not-smoothed "$1" "$2" tensor false fp16
    config token-int8-pv "$1" "$2" token true int8
    config block-int8-pv "$1" "$2" block true int8
}

table() {
    echo "accuracy_table: $1" >&2
    "$sagejit" verify --config "${configs[@]}" --input "$1" "${device[@]}" --markdown
    echo
}

{
    echo "# Accuracy"
    echo
    echo "Made by \`tools/accuracy_table.sh\`; every number against fp64 attention. \`predicted rel_l1\`"
    echo "is what the fp64 model of the quantized algorithm gives, so the rest is rounding."
    echo
    echo "## SmolLM2-135M on real text, causal, head_dim 64, 1024 tokens"
    echo
    configs_for 64 top_left
    for layer in tests/data/smollm2/layer*.safetensors; do table "$layer"; done
    echo "## Drawn inputs, not causal, head_dim 128, batch 1, 2 heads, 1024 tokens"
    echo
    configs_for 128 none
    for name in normal k_channel_bias outliers v_mean attention_sink constant_rows; do
        "$sagejit" make-input --distribution "$name" --shape 1,2,2,1024,1024,128 --seed 1 \
            -o "$work/$name.safetensors" 2> /dev/null
        table "$work/$name.safetensors"
    done
} > "$work/accuracy.md"
cp "$work/accuracy.md" "$output"
echo "accuracy_table: wrote $output" >&2
