"""What the command-line tests share: running sagejit, temporary files, safetensors, JSON checks.

CTest sets SAGEJIT (the executable), SAGEJIT_SOURCE_DIR and SAGEJIT_CACHE_DIR.
"""

import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

SAGEJIT = os.environ.get("SAGEJIT", "build/release/sagejit")
ROOT = pathlib.Path(os.environ.get("SAGEJIT_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
SANITIZED = bool(os.environ.get("SAGEJIT_SANITIZE"))
TIMEOUT = 300  # seconds; far above what anything here takes
SKIPPED = 77

OK, USAGE, BAD_INPUT, COMPILE, NO_DEVICE, FAILED = 0, 2, 3, 4, 5, 6


def sagejit(*arguments, env=None, **options):
    """Runs the executable; stdout and stderr of the result are text."""
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stdin", subprocess.DEVNULL)
    result = subprocess.run(
        [SAGEJIT, *map(str, arguments)],
        stderr=subprocess.PIPE,
        timeout=TIMEOUT,
        env={**os.environ, **(env or {})},
        **options,
    )
    result.stdout = (result.stdout or b"").decode()
    result.stderr = result.stderr.decode(errors="replace")
    return result


class TestCase(unittest.TestCase):
    """A test with a directory of its own and checks on what sagejit did."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="sagejit-cli-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def path(self, name):
        return self.directory / name

    def config(self, name="thread-d64"):
        return ROOT / "configs" / f"{name}.json"

    def write_config(self, file="own", **members):
        """A config of one's own, small unless members say otherwise."""
        members = {"head_dim": 32, "tile": {"tile_q": 64, "tile_k": 64}, **members}
        path = self.path(f"{file}.json")
        path.write_text(json.dumps(members))
        return path

    def succeed(self, *arguments, **options):
        result = sagejit(*arguments, **options)
        self.assertEqual(result.returncode, OK, result.stderr)
        return result

    def succeed_json(self, *arguments, **options):
        result = self.succeed(*arguments, "--json", **options)
        return self.parse(result.stdout)

    def parse(self, text):
        """Exactly one JSON object, of the schema the documentation promises."""
        value = json.loads(text, parse_constant=lambda name: self.fail(f"{name} is not JSON"))
        self.assertIsInstance(value, dict)
        self.assertEqual(value["schema_version"], 1)
        self.assertEqual(next(iter(value)), "schema_version")
        return value

    def fail_with(self, code, *arguments, contains="", error=None, **options):
        """Fails with that exit code both with and without --json, and leaves no file behind.

        contains: what the message must say. error: the code in the JSON object.
        """
        before = self.files()
        plain = sagejit(*arguments, **options)
        self.assertEqual(plain.returncode, code, plain.stderr + plain.stdout)
        self.assertEqual(plain.stdout, "")
        self.assertIn("sagejit: error: ", plain.stderr)
        self.assertIn(contains, plain.stderr)
        result = sagejit(*arguments, "--json", **options)
        self.assertEqual(result.returncode, code, result.stderr)
        value = self.parse(result.stdout)
        self.assertEqual(set(value), {"schema_version", "error"})
        self.assertEqual(list(value["error"]), ["code", "message", "where", "fix"])
        self.assertTrue(all(isinstance(part, str) for part in value["error"].values()))
        if error:
            self.assertEqual(value["error"]["code"], error)
        self.assertEqual(self.files(), before)
        return value["error"]

    def files(self):
        """Every file below the test's directory, hidden ones too, with its content."""
        return {
            str(path): path.read_bytes()
            for path in sorted(self.directory.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }


def write_safetensors(path, tensors):
    """tensors: {name: (dtype, shape, bytes)}."""
    header, data = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_safetensors(path):
    """{name: (dtype, shape, values)} of F16, BF16 and F32 tensors, and the metadata."""
    content = pathlib.Path(path).read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        data = content[begin:end]
        if entry["dtype"] == "BF16":
            words = struct.unpack(f"<{len(data) // 2}H", data)
            values = [struct.unpack("<f", struct.pack("<I", word << 16))[0] for word in words]
        else:
            letter, size = {"F16": ("e", 2), "F32": ("f", 4)}[entry["dtype"]]
            values = list(struct.unpack(f"<{len(data) // size}{letter}", data))
        tensors[name] = (entry["dtype"], entry["shape"], values)
    return tensors, metadata


def half_bytes(values):
    return struct.pack(f"<{len(values)}e", *values)


def rounded(values):
    """Values as fp16 holds them."""
    return list(struct.unpack(f"<{len(values)}e", half_bytes(values)))


class Problem:
    """A small attention problem in fp16, one batch, with its fp64 solution in plain Python."""

    def __init__(self, heads_q=2, heads_kv=1, len_q=5, len_k=7, head_dim=32, head_dim_v=None, seed=1):
        self.heads_q, self.heads_kv, self.len_q, self.len_k = heads_q, heads_kv, len_q, len_k
        self.head_dim, self.head_dim_v = head_dim, head_dim_v or head_dim
        generator = random.Random(seed)

        def draw(count):
            return rounded([generator.gauss(0, 1) for _ in range(count)])

        self.q = draw(heads_q * len_q * head_dim)
        self.k = draw(heads_kv * len_k * head_dim)
        self.v = draw(heads_kv * len_k * self.head_dim_v)

    def tensors(self):
        return {
            "q": ("F16", [1, self.heads_q, self.len_q, self.head_dim], half_bytes(self.q)),
            "k": ("F16", [1, self.heads_kv, self.len_k, self.head_dim], half_bytes(self.k)),
            "v": ("F16", [1, self.heads_kv, self.len_k, self.head_dim_v], half_bytes(self.v)),
        }

    def write(self, path):
        write_safetensors(path, self.tensors())
        return path

    def solve(self, causal=False, logit_scale=None):
        """o and lse as flat lists; causal: the top_left mask."""
        scale = self.head_dim**-0.5 if logit_scale is None else logit_scale
        o, lse = [], []
        for head in range(self.heads_q):
            kv_row = head // (self.heads_q // self.heads_kv) * self.len_k
            for i in range(self.len_q):
                q = self.q[(head * self.len_q + i) * self.head_dim :][: self.head_dim]
                keys = range(min(i + 1, self.len_k) if causal else self.len_k)
                logits = []
                for j in keys:
                    k = self.k[(kv_row + j) * self.head_dim :][: self.head_dim]
                    logits.append(scale * sum(a * b for a, b in zip(q, k)))
                if not logits:
                    o += [0.0] * self.head_dim_v
                    lse.append(-math.inf)
                    continue
                highest = max(logits)
                weights = [math.exp(logit - highest) for logit in logits]
                total = sum(weights)
                lse.append(highest + math.log(total))
                for channel in range(self.head_dim_v):
                    values = (self.v[(kv_row + j) * self.head_dim_v + channel] for j in keys)
                    o.append(sum(w * x for w, x in zip(weights, values)) / total)
        return o, lse


def write_other_nvrtc(path, version):
    """A copy of the stub NVRTC, which $SAGEJIT_NVRTC names, of another version such as 13.99.2."""
    stub = pathlib.Path(os.environ["SAGEJIT_NVRTC"]).read_bytes()
    mark = b"stub version 13.99.1\0"
    other = b"stub version " + version.encode() + b"\0"
    assert stub.count(mark) == 1 and len(other) == len(mark)
    path.write_bytes(stub.replace(mark, other))


def rel_l1(expected, actual):
    return sum(abs(a - b) for a, b in zip(expected, actual)) / sum(map(abs, expected))


def main():
    """Runs the tests of the calling script; exits with SKIPPED where every one was skipped."""
    result = unittest.main(module="__main__", exit=False).result
    if result.testsRun > 0 and len(result.skipped) == result.testsRun:
        sys.exit(SKIPPED)
    sys.exit(0 if result.wasSuccessful() else 1)
