#!/usr/bin/env python3
"""sagejit make-input."""

import math
import re
import resource

from command_line import BAD_INPUT, USAGE, TestCase, main, read_safetensors

REQUIRED = {
    "normal",
    "k_channel_bias",
    "outliers",
    "v_mean",
    "attention_sink",
    "constant_rows",
}


class MakeInput(TestCase):
    def make(self, name, *more, distribution="normal", shape="1,4,2,16,24,64"):
        output = self.path(name)
        value = self.succeed_json(
            *("make-input", "--distribution", distribution, "--shape", shape, "-o", output), *more
        )
        self.assertEqual(value["file"], str(output))
        return value, output

    def test_help_lists_the_distributions(self):
        text = self.succeed("make-input", "--help").stdout
        listed = set(re.findall(r"^  ([a-z_]+) {2,}\S", text, re.MULTILINE))
        self.assertLessEqual(REQUIRED, listed)
        for name in listed:
            with self.subTest(name):
                _, output = self.make("x", distribution=name)
                tensors, _ = read_safetensors(output)
                for _, _, values in tensors.values():
                    self.assertTrue(all(map(math.isfinite, values)))
                    self.assertTrue(any(values))

    def test_shapes_and_types(self):
        value, output = self.make("x", "--dtype", "bf16", "--seed", "7", shape="2,6,3,5,9,64,40")
        self.assertEqual(value["tensors"], {"q": [2, 6, 5, 64], "k": [2, 3, 9, 64], "v": [2, 3, 9, 40]})
        self.assertEqual((value["dtype"], value["seed"]), ("bf16", 7))
        tensors, metadata = read_safetensors(output)
        self.assertEqual({name: t[:2] for name, t in tensors.items()}, {
            name: ("BF16", shape) for name, shape in value["tensors"].items()
        })
        self.assertEqual(metadata["distribution"], "normal")
        self.assertEqual(metadata["seed"], "7")

    def test_reproducible(self):
        first = self.make("a", "--seed", "3")[1].read_bytes()
        self.assertEqual(self.make("b", "--seed", "3")[1].read_bytes(), first)
        self.assertNotEqual(self.make("c", "--seed", "4")[1].read_bytes(), first)

    def test_empty_sizes(self):
        for shape in ("0,2,1,3,4,64", "1,2,1,0,4,64", "1,2,1,3,0,64", "1,0,0,3,4,64"):
            with self.subTest(shape):
                self.make("x", shape=shape)

    def test_largest_seed(self):
        self.make("x", "--seed", str(2**64 - 1))

    def test_refused(self):
        base = ["make-input", "-o", self.path("x")]
        good_shape = ["--shape", "1,2,1,4,4,64"]
        normal = ["--distribution", "normal"]
        self.fail_with(USAGE, *base, *good_shape)
        self.fail_with(USAGE, *base, *normal)
        self.fail_with(USAGE, *base, *good_shape, "--distribution", "cauchy", contains="outliers")
        self.fail_with(USAGE, *base, *good_shape, *normal, "--dtype", "fp8")
        for seed in ("-1", "1.5", "x", "", str(2**64)):
            with self.subTest(seed=seed):
                self.fail_with(USAGE, *base, *good_shape, *normal, f"--seed={seed}")
        for shape in ("", "1", "1,2,1,4,4", "1,2,1,4,4,64,64,64", "1,2,1,4,4,64,", "1,,1,4,4,64",
                      "1,2,1,-4,4,64", "1,2,1,4,4,6x", "1, 2,1,4,4,64", "99999999999999999999,2,1,4,4,64"):
            with self.subTest(shape=shape):
                self.fail_with(USAGE, *base, *normal, f"--shape={shape}", error="usage")
        for shape in ("1,3,2,4,4,64", "1,2,0,4,4,64", "1,2,1,4,4,60", "1,2,1,4,4,64,264",
                      "1,2,1,4,4,24", "1,2,1,9000000000000000000,4,64",
                      "4000000000,4000000000,1,4000000000,1,64"):
            with self.subTest(shape=shape):
                self.fail_with(
                    BAD_INPUT, *base, *normal, "--shape", shape, error="invalid_argument"
                )

    def test_unwritable(self):
        def make(output, **options):
            self.fail_with(
                *(BAD_INPUT, "make-input", "--distribution", "normal", "--shape", "1,2,1,64,64,64"),
                *("-o", output),
                error="io",
                **options,
            )

        make(self.path("none/x"))
        make(self.directory)
        make("/dev/full")
        make("-")
        make("/proc/sagejit")
        self.path("x").write_text("old")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # noqa: E731
        make(self.path("x"), preexec_fn=limit)


if __name__ == "__main__":
    main()
