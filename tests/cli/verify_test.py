#!/usr/bin/env python3
"""sagejit verify on the host device."""

import math

from command_line import (
    BAD_INPUT,
    FAILED,
    USAGE,
    Problem,
    TestCase,
    half_bytes,
    main,
    sagejit,
    write_safetensors,
)

METRICS = ["cosine", "rel_l1", "rmse", "max_abs", "nonfinite_both", "nonfinite_one_sided"]
COLUMNS = ["config", "input", "cosine", "rel_l1", "rmse", "max_abs", "predicted rel_l1"]
COLUMNS += ["lse_max_abs", "passed"]


class Verify(TestCase):
    def setUp(self):
        super().setUp()
        self.inputs = []
        for distribution in ("normal", "k_channel_bias"):
            self.inputs.append(self.path(f"{distribution}.safetensors"))
            self.succeed(
                *("make-input", "--distribution", distribution, "--shape", "1,4,2,70,130,32"),
                *("-o", self.inputs[-1]),
            )
        self.lse = self.write_config("lse", lse=True)
        self.causal = self.write_config("causal", causal="top_left")
        self.plain = ("verify", "--device", "host", "--config", self.lse)

    def test_json(self):
        value = self.succeed_json(*self.plain, "--input", self.inputs[0])
        self.assertEqual(list(value), ["schema_version", "passed", "results"])
        self.assertIs(value["passed"], True)
        (result,) = value["results"]
        self.assertEqual(result["config"], "lse")
        self.assertEqual(result["input"], str(self.inputs[0]))
        self.assertEqual(result["device"], "host")
        self.assertEqual(result["shape"]["len_k"], 130)
        self.assertEqual(result["failures"], [])
        self.assertIs(result["passed"], True)
        for metrics in (result, result["predicted"]):
            for name in [*METRICS, "lse_max_abs"]:
                self.assertIn(name, metrics)
        self.assertGreater(result["cosine"], 0.999)
        self.assertLess(result["rel_l1"], 0.03)
        self.assertLessEqual(result["rel_l1"], result["limits"]["rel_l1"])
        self.assertLessEqual(result["lse_max_abs"], result["limits"]["lse_max_abs"])
        expected = 1.05 * result["predicted"]["rel_l1"] + 5e-4
        self.assertAlmostEqual(result["limits"]["rel_l1"], expected)

    def test_table_of_several(self):
        arguments = ("verify", "--device", "host", "--config", self.lse, self.causal)
        arguments += ("--input", *self.inputs)
        table = self.succeed(*arguments)
        lines = table.stdout.splitlines()
        self.assertEqual(len(lines), 5)
        self.assertEqual([line.split()[0] for line in lines[1:]], ["lse", "causal"] * 2)
        self.assertTrue(all(line.endswith("yes") for line in lines[1:]))
        markdown = self.succeed(*arguments, "--markdown").stdout.splitlines()
        self.assertEqual([cell.strip() for cell in markdown[0].strip("|").split("|")], COLUMNS)
        self.assertEqual(len(markdown), 6)
        self.assertTrue(all(line.count("|") == len(COLUMNS) + 1 for line in markdown))
        self.assertIn("| normal |", markdown[2])
        self.assertIn("| k_channel_bias |", markdown[4])

    def test_sums_in_fp16(self):
        """Rows of equal weights: next to nothing but the rounding of the sums is left."""
        path = self.path("rows.safetensors")
        self.succeed(
            *("make-input", "--distribution", "constant_rows", "--shape", "1,1,1,64,700,32"),
            *("-o", path),
        )
        for accumulation, keys in (("fp16", 700), ("fp32_promote_fp16", 64)):
            with self.subTest(accumulation):
                config = self.write_config(accumulation, pv={"accumulation": accumulation})
                (result,) = self.succeed_json(
                    *("verify", "--device", "host", "--config", config, "--input", path)
                )["results"]
                error = math.hypot(result["predicted"]["rel_l1"], 6e-5 * math.sqrt(keys))
                self.assertAlmostEqual(result["limits"]["rel_l1"], 1.05 * error + 5e-4)

    def test_names_do_not_reach_the_terminal_as_commands(self):
        config = self.write_config("odd", name="a\x1b[2J\n|b")
        arguments = ("verify", "--device", "host", "--config", config, "--input", self.inputs[0])
        self.assertIn("a?[2J |b", self.succeed(*arguments).stdout)
        self.assertIn("| a?[2J \\|b |", self.succeed(*arguments, "--markdown").stdout)
        (result,) = self.succeed_json(*arguments)["results"]
        self.assertEqual(result["config"], "a\x1b[2J\n|b")

    def test_limit_of_the_user(self):
        result = sagejit(*self.plain, "--input", self.inputs[0], "--max-rel-l1", "1e-6", "--json")
        self.assertEqual(result.returncode, FAILED)
        value = self.parse(result.stdout)
        self.assertIs(value["passed"], False)
        self.assertIn("--max-rel-l1", value["results"][0]["failures"][0])
        self.assertIn("failed: lse on normal", result.stderr)
        result = sagejit(*self.plain, "--input", self.inputs[0], "--max-rel-l1", "1e-6")
        self.assertEqual(result.returncode, FAILED)
        self.assertTrue(result.stdout.rstrip().endswith("no"))
        self.succeed(*self.plain, "--input", self.inputs[0], "--max-rel-l1", "0.5")

    def test_nan_and_infinity_are_judged_by_the_rules(self):
        problem = Problem(len_q=6, len_k=6)
        path = self.path("bad.safetensors")
        for name, bad in (("q", math.nan), ("k", math.inf), ("v", math.nan), ("v", -math.inf)):
            for config in (self.lse, self.causal):
                with self.subTest(name=name, bad=bad, config=config.stem):
                    values = list(getattr(problem, name))
                    values[3 * problem.head_dim + 1] = bad
                    tensors = problem.tensors()
                    tensors[name] = (*tensors[name][:2], half_bytes(values))
                    write_safetensors(path, tensors)
                    value = self.succeed_json(
                        *("verify", "--device", "host", "--config", config, "--input", path)
                    )
                    self.assertGreater(value["results"][0]["nonfinite_both"], 0)

    def test_empty(self):
        for sizes in ((3, 0), (0, 3)):
            with self.subTest(sizes=sizes):
                Problem(len_q=sizes[0], len_k=sizes[1]).write(self.path("empty.safetensors"))
                self.succeed(*self.plain, "--input", self.path("empty.safetensors"))

    def test_refused(self):
        self.fail_with(USAGE, *self.plain)
        self.fail_with(USAGE, *self.plain, "--input", self.inputs[0], "--max-rel-l1", "nan")
        # Checked before the first pair is run.
        wide = self.write_config("wide", head_dim=64)
        error = self.fail_with(
            BAD_INPUT, *self.plain, wide, "--input", *self.inputs, error="invalid_input"
        )
        self.assertIn("normal.safetensors: q", error["where"])
        self.fail_with(BAD_INPUT, *self.plain, "--input", self.path("none"), error="io")


if __name__ == "__main__":
    main()
