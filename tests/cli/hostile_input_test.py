#!/usr/bin/env python3
"""Damaged and hostile safetensors files: a typed error, nothing written, no crash."""

import json
import random
import struct

from command_line import BAD_INPUT, Problem, TestCase, main, sagejit

MUTATIONS = 150
SEED = 20240607


def packed(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, begin, end, dtype="F16"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


class HostileInput(TestCase):
    def setUp(self):
        super().setUp()
        self.input = self.path("in.safetensors")
        self.arguments = ("run", "--config", self.write_config(), "--input", self.input)
        self.arguments += ("--output", self.path("out"), "--device", "host")
        self.good = Problem().write(self.input).read_bytes()

    def test_hostile_files(self):
        good = self.good
        huge = 2**62
        files = {
            "empty": b"",
            "seven bytes": good[:7],
            "only a length": good[:8],
            "header cut": good[:40],
            "data cut": good[:-1],
            "data too long": good + b"\0",
            "header length 0": packed(b""),
            "header length huge": packed(b"{}", length=2**64 - 1),
            "header length past the end": packed(b"{}", length=100),
            "header not JSON": packed(b"q" * 64),
            "header not an object": packed(b"[]"),
            "header deep": packed(b"[" * 100000),
            "header not UTF-8": packed(b'{"\xff": 1}'),
            "no tensors": packed({}),
            "entry not an object": packed({"q": 1}),
            "entry without shape": packed({"q": {"dtype": "F16", "data_offsets": [0, 0]}}),
            "unknown dtype": packed({"q": entry([1, 1, 1, 32], 0, 64, "F12")}, bytes(64)),
            "negative size": packed({"q": entry([1, 1, -1, 32], 0, 64)}, bytes(64)),
            "fractional size": packed({"q": entry([1, 1, 1.5, 32], 0, 64)}, bytes(64)),
            "size overflows": packed({"q": entry([huge, huge, huge, 32], 0, 64)}, bytes(64)),
            "size too large": packed({"q": entry([1, 1, huge, 32], 0, 64)}, bytes(64)),
            "offsets reversed": packed({"q": entry([1, 1, 1, 32], 64, 0)}, bytes(64)),
            "offsets past the end": packed({"q": entry([1, 1, 1, 32], 0, 64)}, bytes(63)),
            "offset huge": packed({"q": entry([1, 1, 1, 32], huge, huge + 64)}, bytes(64)),
            "overlap": packed(
                {name: entry([1, 1, 1, 32], 0, 64) for name in "qkv"}, bytes(64)
            ),
            "hole": packed({"q": entry([1, 1, 1, 32], 64, 128)}, bytes(128)),
            "name twice": packed(
                b'{"q":{"dtype":"F16","shape":[0,1,1,32],"data_offsets":[0,0]},'
                b'"q":{"dtype":"F16","shape":[0,1,1,32],"data_offsets":[0,0]}}'
            ),
            "metadata not text": packed({"__metadata__": {"a": 1}}),
            "name with control characters": packed({"\x1b[2J\n": entry([0], 0, 0)}),
        }
        for name, content in files.items():
            with self.subTest(name):
                self.input.write_bytes(content)
                self.fail_with(BAD_INPUT, *self.arguments, error="invalid_input")
        with self.subTest("control characters do not reach the terminal"):
            self.assertNotIn("\x1b", sagejit(*self.arguments).stderr)

    def test_not_a_file(self):
        self.input.unlink()
        self.fail_with(BAD_INPUT, *self.arguments, error="io")
        self.input.mkdir()
        self.fail_with(BAD_INPUT, *self.arguments)

    def test_mutations_of_the_header(self):
        """Flipped bytes either make another well-formed file or a typed error."""
        generator = random.Random(SEED)
        (length,) = struct.unpack_from("<Q", self.good)
        for number in range(MUTATIONS):
            content = bytearray(self.good)
            for _ in range(generator.randint(1, 3)):
                content[generator.randrange(8 + length)] = generator.randrange(256)
            self.input.write_bytes(content)
            with self.subTest(number=number, seed=SEED):
                result = sagejit(*self.arguments, "--json")
                self.assertIn(result.returncode, (0, BAD_INPUT), result.stderr)
                self.parse(result.stdout)
                self.assertEqual(self.path("out").exists(), result.returncode == 0)
                self.path("out").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
