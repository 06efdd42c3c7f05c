#!/usr/bin/env python3
"""sagejit run on the host device."""

import json
import math
import os

from command_line import (
    BAD_INPUT,
    USAGE,
    Problem,
    TestCase,
    half_bytes,
    main,
    read_safetensors,
    rel_l1,
    write_safetensors,
)

HOST = ("--device", "host")


class Run(TestCase):
    def setUp(self):
        super().setUp()
        self.input = self.path("in.safetensors")
        self.output = self.path("out.safetensors")
        self.lse_config = self.write_config("lse", lse=True)
        self.causal_config = self.write_config("causal", causal="top_left")

    def run_on_host(self, config, *more):
        value = self.succeed_json(
            *("run", "--config", config, "--input", self.input, "--output", self.output),
            *(*HOST, *more),
        )
        tensors, metadata = read_safetensors(self.output)
        return value, tensors, metadata

    def test_matches_fp64_attention(self):
        problem = Problem(heads_q=4, heads_kv=2, len_q=9, len_k=70)
        problem.write(self.input)
        value, tensors, metadata = self.run_on_host(self.lse_config)
        o, lse = problem.solve()
        self.assertEqual(list(tensors), ["lse", "o"])  # by falling element size
        self.assertEqual(tensors["o"][:2], ("F16", [1, 4, 9, 32]))
        self.assertEqual(tensors["lse"][:2], ("F32", [1, 4, 9]))
        self.assertLess(rel_l1(o, tensors["o"][2]), 0.03)
        self.assertLess(max(abs(a - b) for a, b in zip(lse, tensors["lse"][2])), 0.03)

        self.assertEqual(value["config"], "lse")
        self.assertEqual(value["device"], "host")
        self.assertTrue(value["device_name"])
        self.assertEqual(value["target"], "sm_80")
        self.assertEqual(value["input"], str(self.input))
        self.assertEqual(value["file"], str(self.output))
        self.assertEqual(
            value["shape"],
            dict(batch=1, heads_q=4, heads_kv=2, len_q=9, len_k=70, head_dim=32, head_dim_v=32),
        )
        self.assertAlmostEqual(value["logit_scale"], 32**-0.5, places=6)
        self.assertEqual(
            value["outputs"],
            {
                "o": {"dtype": "fp16", "shape": [1, 4, 9, 32]},
                "lse": {"dtype": "fp32", "shape": [1, 4, 9]},
            },
        )
        stages = ["read", "compile", "load", "upload", "attention", "download", "write"]
        self.assertEqual(list(value["milliseconds"]), stages)
        self.assertTrue(all(ms >= 0 for ms in value["milliseconds"].values()))
        self.assertEqual(json.loads(metadata["config"])["head_dim"], 32)
        self.assertEqual(metadata["target"], "sm_80")

    def test_again_comes_from_the_cache(self):
        Problem().write(self.input)
        self.run_on_host(self.lse_config)
        first = self.output.read_bytes()
        value, _, _ = self.run_on_host(self.lse_config)
        self.assertTrue(value["from_cache"])
        self.assertEqual(self.output.read_bytes(), first)

    def test_text_and_target(self):
        Problem().write(self.input)
        result = self.succeed(
            *("run", "--config", self.lse_config, "--input", self.input, "--output", self.output),
            *(*HOST, "--target", "sm_90"),
        )
        self.assertIn("sm_90", result.stdout)
        self.assertIn("attention", result.stdout)
        self.assertIn(f"wrote {self.output}", result.stderr)
        self.assertEqual(read_safetensors(self.output)[1]["target"], "sm_90")

    def test_logit_scale(self):
        problem = Problem(len_q=4, len_k=40)
        problem.write(self.input)
        for scale in ("0", "0.5", "-0.25", "1e-3"):
            with self.subTest(scale=scale):
                value, tensors, _ = self.run_on_host(self.lse_config, "--logit-scale", scale)
                self.assertAlmostEqual(value["logit_scale"], float(scale))
                o, _ = problem.solve(logit_scale=float(scale))
                self.assertLess(rel_l1(o, tensors["o"][2]), 0.03)

    def test_empty_and_single_tokens(self):
        for sizes in ((3, 0), (0, 3), (1, 1), (0, 0)):
            with self.subTest(sizes=sizes):
                problem = Problem(len_q=sizes[0], len_k=sizes[1])
                problem.write(self.input)
                _, tensors, _ = self.run_on_host(self.lse_config)
                o, lse = problem.solve()
                self.assertEqual(len(tensors["o"][2]), len(o))
                if sizes[1] == 0:
                    self.assertEqual(tensors["o"][2], o)
                    self.assertEqual(tensors["lse"][2], lse)

    def test_nan_reaches_just_its_rows(self):
        problem = Problem(heads_q=2, heads_kv=1, len_q=6, len_k=6)
        tensors = problem.tensors()

        def rows_with_nan(config, **changes):
            changed = dict(tensors)
            for name, (index, value) in changes.items():
                dtype, shape, _ = tensors[name]
                values = list(getattr(problem, name))
                values[index] = value
                changed[name] = (dtype, shape, half_bytes(values))
            write_safetensors(self.input, changed)
            _, result, _ = self.run_on_host(config)
            o, width = result["o"][2], problem.head_dim_v
            rows = [o[i : i + width] for i in range(0, len(o), width)]
            return [any(map(math.isnan, row)) for row in rows]

        dim = problem.head_dim
        for bad in (math.nan, math.inf, -math.inf):
            with self.subTest(bad=bad):
                # One query row of the first head.
                only = [row == 2 for row in range(12)]
                self.assertEqual(rows_with_nan(self.lse_config, q=(2 * dim + 5, bad)), only)
                # A key: every row that sees it.
                self.assertEqual(rows_with_nan(self.lse_config, k=(3 * dim, bad)), [True] * 12)
                seeing = [row % 6 >= 3 for row in range(12)]
                self.assertEqual(rows_with_nan(self.causal_config, k=(3 * dim, bad)), seeing)
        # A value: one channel of every row that sees it; a hidden one harms nobody.
        self.assertEqual(rows_with_nan(self.causal_config, v=(5 * dim + 1, math.nan)),
                         [row % 6 == 5 for row in range(12)])


class Refused(TestCase):
    def setUp(self):
        super().setUp()
        self.input = self.path("in.safetensors")
        self.config_file = self.write_config()
        self.problem = Problem()

    def refuse(self, tensors, contains="", config=None, error="invalid_input"):
        write_safetensors(self.input, tensors)
        return self.fail_with(
            *(BAD_INPUT, "run", "--config", config or self.config_file, "--input", self.input),
            *("--output", self.path("out"), *HOST),
            contains=contains,
            error=error,
        )

    def test_wrong_tensors(self):
        good = self.problem.tensors()
        zeros = bytes(2 * 7 * 32)
        with self.subTest("missing"):
            for name in good:
                rest = {key: value for key, value in good.items() if key != name}
                self.refuse(rest, contains=name)
        with self.subTest("unknown"):
            self.refuse({**good, "bias": good["q"]}, contains="bias")
        with self.subTest("batch"):
            self.refuse({**good, "k": ("F16", [2, 1, 7, 32], zeros * 2)}, contains="batch")
        with self.subTest("KV heads"):
            self.refuse({**good, "v": ("F16", [1, 2, 7, 32], zeros * 2)}, contains="heads")
        with self.subTest("length"):
            self.refuse({**good, "v": ("F16", [1, 1, 6, 32], bytes(2 * 6 * 32))}, contains="length")
        with self.subTest("head_dim of k"):
            self.refuse({**good, "k": ("F16", [1, 1, 7, 40], bytes(2 * 7 * 40))}, contains="head_dim")
        with self.subTest("head_dim_v"):
            self.refuse({**good, "v": ("F16", [1, 1, 7, 40], bytes(2 * 7 * 40))}, contains="head_dim_v")
        with self.subTest("groups"):
            odd = Problem(heads_q=3, heads_kv=3).tensors()
            self.refuse({**good, "q": odd["q"], "k": ("F16", [1, 2, 7, 32], zeros * 2),
                         "v": ("F16", [1, 2, 7, 32], zeros * 2)}, contains="heads")
        with self.subTest("dtypes differ"):
            self.refuse({**good, "v": ("BF16", [1, 1, 7, 32], zeros)}, contains="bf16")
        with self.subTest("fp32"):
            self.refuse({**good, "v": ("F32", [1, 1, 7, 32], zeros * 2)}, contains="F32")
        with self.subTest("rank"):
            self.refuse({**good, "v": ("F16", [7, 32], zeros)})

    def test_config_for_other_tensors(self):
        tensors = self.problem.tensors()
        bf16 = self.write_config("bf16", dtype="bf16")
        self.refuse(tensors, config=bf16, contains='"dtype": "fp16"')
        wide = self.write_config("wide", head_dim=64)
        self.refuse(tensors, config=wide, contains='"head_dim": 32')

    def test_wrong_files(self):
        self.problem.write(self.input)
        base = ("run", "--config", self.config_file, "--input", self.input, *HOST)
        self.fail_with(USAGE, *base)
        self.fail_with(BAD_INPUT, *base, "-o", self.input, contains="overwritten")
        self.fail_with(BAD_INPUT, *base, "-o", self.config_file, contains="overwritten")
        os.symlink(self.input, self.path("symbolic"))
        self.fail_with(BAD_INPUT, *base, "-o", self.path("symbolic"), contains="overwritten")
        os.link(self.input, self.path("hard"))
        self.fail_with(BAD_INPUT, *base, "-o", self.path("hard"), contains="overwritten")
        self.fail_with(BAD_INPUT, *base, "-o", self.path("no/out"), error="io")
        self.fail_with(BAD_INPUT, *base, "-o", self.directory, error="io")
        none = self.path("none")
        self.fail_with(
            *(BAD_INPUT, "run", "--config", self.config_file, "--input", none, *HOST),
            *("-o", self.path("out")),
            error="io",
        )

    def test_devices(self):
        self.problem.write(self.input)
        base = ("run", "--config", self.config_file, "--input", self.input, "-o", self.path("out"))
        for device in ("gpu", "cuda", "cuda:", "cuda:-1", "cuda:x", "cuda:0 ", "Host"):
            with self.subTest(device=device):
                self.fail_with(BAD_INPUT, *base, "--device", device, error="invalid_argument")
        no_driver = {"SAGEJIT_LIBCUDA": "/nonexistent"}
        self.fail_with(5, *base, "--device", "cuda:0", error="no_driver", env=no_driver)
        no_compiler = {"SAGEJIT_HOST_CXX": "/nonexistent"}
        self.fail_with(
            *(5, *base, *HOST, "--no-cache"), error="no_host_compiler", env=no_compiler
        )

    def test_default_device_without_a_gpu_is_host(self):
        self.problem.write(self.input)
        result = self.succeed(
            *("run", "--config", self.config_file, "--input", self.input),
            *("-o", self.path("out"), "--json"),
            env={"SAGEJIT_LIBCUDA": "/nonexistent"},
        )
        self.assertEqual(self.parse(result.stdout)["device"], "host")
        self.assertEqual(result.stderr.count("host device"), 1)


if __name__ == "__main__":
    main()
