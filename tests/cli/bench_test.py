#!/usr/bin/env python3
"""sagejit bench, on the host device."""

import json
import math
import time

from command_line import BAD_INPUT, OK, ROOT, USAGE, TestCase, main, sagejit

HOST = ("--device", "host")
QUICK = (*HOST, "--iterations", "2")
COLUMN = ["median_ms", "q1_ms", "q3_ms", "min_ms", "max_ms", "samples", "launches_per_sample"]


class Bench(TestCase):
    def setUp(self):
        super().setUp()
        self.config_file = self.write_config()

    def rows(self, *arguments, config=None, quick=QUICK):
        value = self.succeed_json("bench", "--config", config or self.config_file, *arguments, *quick)
        self.assertEqual(list(value), ["schema_version", "rows"])
        return value["rows"]

    def check_row(self, row):
        """What every row has, and what must hold of a measurement."""
        for key in ("kind", "time", "sagejit", "config", "spec", "plan", "tuning", "plan_details", "hash", "device",
                    "device_name", "driver", "target", "shape", "flops", "rotate", "rest_s", "workspace_bytes",
                    "from_cache", "compile_ms", "timer", "attention", "whole_call", "peak", "gpu",
                    "outputs_finite"):
            self.assertIn(key, row)
        self.assertRegex(row["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertRegex(row["hash"], r"^[0-9a-f]{32}$")
        self.assertTrue(row["outputs_finite"])
        self.assertGreaterEqual(row["rotate"], 2)
        for name in ("attention", "whole_call"):
            column = row[name]
            for key in COLUMN:
                self.assertIn(key, column)
            self.assertLessEqual(column["min_ms"], column["q1_ms"])
            self.assertLessEqual(column["q1_ms"], column["median_ms"])
            self.assertLessEqual(column["median_ms"], column["q3_ms"])
            self.assertLessEqual(column["q3_ms"], column["max_ms"])
            self.assertGreater(column["min_ms"], 0)
            expected = row["flops"] / column["median_ms"] * 1e-9
            self.assertTrue(math.isclose(column["tflops"], expected, rel_tol=1e-9))

    def test_one_row(self):
        (row,) = self.rows("--shape", "1,4,2,96,70,32")
        self.check_row(row)
        self.assertEqual((row["kind"], row["config"], row["device"]), ("bench", "own", "host"))
        self.assertEqual(row["timer"], "wall_clock")
        self.assertEqual(row["flops"], 4 * 4 * 96 * 70 * 32)
        self.assertEqual(row["shape"], {"batch": 1, "heads_q": 4, "heads_kv": 2, "len_q": 96,
                                        "len_k": 70, "head_dim": 32, "head_dim_v": 32})
        self.assertEqual(row["attention"]["samples"], 2)
        for key in ("peak", "gpu", "driver"):
            self.assertIsNone(row[key])
        self.assertIsNone(row["attention"]["share_of_peak"])
        self.assertEqual(row["spec"]["tile"]["tile_q"], 64)

    def test_work_is_what_the_mask_leaves(self):
        def flops(causal, shape, **members):
            config = self.write_config(causal, causal=causal, **members)
            (row,) = self.rows("--shape", shape, config=config)
            self.check_row(row)
            return row["flops"]

        def count(len_q, len_k, shift):
            return sum(min(max(i + shift + 1, 0), len_k) for i in range(len_q))

        self.assertEqual(flops("top_left", "1,2,1,40,70,32"), 4 * 2 * 32 * count(40, 70, 0))
        self.assertEqual(flops("top_left", "1,2,1,70,40,32"), 4 * 2 * 32 * count(70, 40, 0))
        self.assertEqual(flops("bottom_right", "1,2,1,40,70,32"), 4 * 2 * 32 * count(40, 70, 30))
        self.assertEqual(flops("bottom_right", "2,2,1,70,40,32"), 2 * 4 * 2 * 32 * count(70, 40, -30))
        self.assertEqual(flops("none", "1,2,1,40,70,32,48", head_dim_v=48), 2 * 2 * (32 + 48) * 40 * 70)

    def test_all_shapes_with_all_configs_and_lines(self):
        other = self.write_config("other", causal="top_left", lse=True, dtype="bf16")
        lines = self.path("rows.jsonl")
        lines.write_text('{"before": true}\n')
        rows = self.rows(
            *("--config", other, "--shape", "1,1,1,70,70,32", "--shape", "1,1,1,64,64,32"),
            *("--rotate", "3", "--jsonl", lines),
        )
        self.assertEqual([row["config"] for row in rows], ["own", "own", "other", "other"])
        self.assertEqual([row["shape"]["len_q"] for row in rows], [70, 64, 70, 64])
        for row in rows:
            self.check_row(row)
            self.assertEqual(row["rotate"], 3)
        written = [json.loads(line) for line in lines.read_text().splitlines()]
        self.assertEqual(written[0], {"before": True})
        self.assertEqual(written[1:], [{"schema_version": 1, **row} for row in rows])

    def test_candidates(self):
        config = self.write_config("few", tile={"tile_q": 64, "warp_q": 16, "tile_k": 64})
        rows = self.rows("--shape", "1,1,1,64,64,32", "--candidates", config=config)
        self.assertGreater(len(rows), 1)
        self.assertEqual(len({row["plan"] for row in rows}), len(rows))
        self.assertEqual(len({row["hash"] for row in rows}), len(rows))
        for row in rows:
            self.check_row(row)
        (default,) = self.rows("--shape", "1,1,1,64,64,32", config=config)
        self.assertEqual(rows[0]["hash"], default["hash"])

    def test_table(self):
        result = self.succeed("bench", "--config", self.config_file, "--shape", "1,1,1,64,64,32", *QUICK)
        title, header, row = result.stdout.splitlines()
        self.assertEqual(title, "own")
        self.assertIn("call ms", header)
        self.assertRegex(row, r"^q\d+ k\d+")
        self.assertIn("1,1,1,64,64,32", row)

    def test_min_time(self):
        (row,) = self.rows("--shape", "1,1,1,64,64,32", quick=(*HOST, "--min-time", "0.05"))
        self.check_row(row)
        self.assertGreaterEqual(row["attention"]["samples"], 3)


    def test_rest(self):
        (row,) = self.rows("--shape", "1,1,1,64,64,32")
        self.assertEqual(row["rest_s"], 0)
        start = time.monotonic()
        (row,) = self.rows("--shape", "1,1,1,64,64,32", "--rest", "0.05", quick=(*HOST, "--iterations", "4"))
        self.assertGreaterEqual(time.monotonic() - start, 8 * 0.05)  # four samples of either column
        self.check_row(row)
        self.assertEqual((row["rest_s"], row["attention"]["samples"]), (0.05, 4))
        self.assertLess(row["attention"]["q1_ms"], 50)
        (row,) = self.rows("--shape", "1,1,1,64,64,32", "--rest", "0.001", quick=HOST)
        self.assertLessEqual(row["attention"]["samples"], 20)


class Refused(TestCase):
    def test_usage(self):
        config = self.write_config()
        base = ("bench", "--config", config, *HOST)
        self.fail_with(USAGE, *base, error="usage", contains="--shape")
        shape = ("--shape", "1,1,1,64,64,32")
        for wrong in (["--rotate", "x"], ["--rotate", "1001"], ["--iterations", "-1"],
                      ["--iterations", "1000001"], ["--min-time", "0"], ["--min-time", "-1"],
                      ["--min-time", "inf"], ["--min-time", "1", "--iterations", "2"],
                      ["--rest", "0"], ["--rest", "-1"], ["--rest", "4000"], ["--rest", "x"],
                      ["--candidates", "--no-tuning"]):
            with self.subTest(wrong=wrong):
                self.fail_with(USAGE, *base, *shape, *wrong, error="usage")
        self.fail_with(USAGE, *base, "--shape", "1,1,1,64,64", error="usage")
        self.fail_with(USAGE, "bench", *shape, error="usage", contains="--config")

    def test_shapes(self):
        config = self.write_config()
        good = ("--shape", "1,1,1,64,64,32")
        base = ("bench", "--config", config, *HOST, *good, "--jsonl", self.path("rows"))
        for shape in ("1,1,1,64,64,64", "1,1,1,64,64,32,64", "1,3,2,64,64,32", "0,1,1,64,64,32",
                      "1,0,0,64,64,32", "1,1,1,0,64,32", "1,1,1,64,0,32"):
            with self.subTest(shape=shape):
                # Nothing runs, and no file appears, though the first shape is good.
                self.fail_with(BAD_INPUT, *base, "--shape", shape, error="invalid_argument",
                               contains=shape)

    def test_too_large(self):
        base = ("bench", "--config", self.write_config(), *HOST)
        for shape in ("1,1,1,2000000000,64,32", "1,65536,65536,1000000,64,32",
                      "64,128,128,1000000,1000000,32"):
            with self.subTest(shape=shape):
                self.fail_with(BAD_INPUT, *base, "--shape", shape, error="invalid_argument")

    def test_files_and_devices(self):
        base = ("bench", "--shape", "1,1,1,64,64,32")
        config = self.write_config()
        self.fail_with(BAD_INPUT, *base, "--config", self.path("none"), *HOST, error="io")
        self.fail_with(BAD_INPUT, *base, "--config", config, *HOST, "--jsonl", self.path("no/rows"),
                       error="io")
        no_driver = {"SAGEJIT_LIBCUDA": "/nonexistent"}
        self.fail_with(5, *base, "--config", config, "--device", "cuda:0", error="no_driver",
                       env=no_driver)
        self.fail_with(BAD_INPUT, *base, "--config", config, "--device", "gpu",
                       error="invalid_argument")

class FromRows(TestCase):
    """Rows that were measured before: nothing is measured."""

    def test_the_same_table_and_data(self):
        file = self.path("rows.jsonl")
        result = sagejit("bench", "--config", self.write_config(), "--shape", "1,1,1,64,64,32", "--shape",
                         "1,2,1,70,90,32", *QUICK, "--jsonl", file)
        self.assertEqual(result.returncode, OK, result.stderr)
        with open(file, "a", encoding="utf-8") as rows:
            rows.write('{"kind": "peer", "peer": "torch"}\n\n')
        nowhere = {"SAGEJIT_LIBCUDA": "/nonexistent"}
        self.assertEqual(self.succeed("bench", "--from", file, env=nowhere).stdout, result.stdout)
        value = self.succeed_json("bench", "--from", file, file, "--html", self.path("page.html"))
        kept = [json.loads(line) for line in file.read_text().splitlines() if "bench" in line]
        self.assertEqual(value["rows"], kept * 2)
        self.assertIn("Measured on the host device", self.path("page.html").read_text())

    def test_kept_rows_of_the_repository(self):
        for file in sorted((ROOT / "docs" / "benchmarks" / "rows").glob("*.jsonl")):
            with self.subTest(file.name):
                rows = [json.loads(line) for line in file.read_text().splitlines()]
                expected = [row for row in rows if row.get("kind", "bench") == "bench"]
                if any("kind" not in row for row in rows):  # of scripts, before there was bench
                    self.fail_with(BAD_INPUT, "bench", "--from", file, error="invalid_input")
                    continue
                self.assertEqual(self.succeed_json("bench", "--from", file)["rows"], expected)

    def test_the_table_fits_a_terminal(self):
        rows = ROOT / "docs" / "benchmarks" / "rows"
        text = self.succeed("bench", "--from", rows / "h200-2026-11-25-fp8.jsonl",
                            rows / "h200-2026-11-25-wgmma.jsonl").stdout
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        self.assertNotIn("~", text)  # nothing had to be cut
        self.assertIn("2,32,32,16384,16384,128", text)

    def test_refused(self):
        good = self.path("good.jsonl")
        self.succeed("bench", "--config", self.write_config(), "--shape", "1,1,1,64,64,32", *QUICK,
                     "--jsonl", good)
        row = json.loads(good.read_text())
        base = ("bench", "--from", good)
        self.fail_with(USAGE, *base, "--config", self.write_config(), error="usage")
        self.fail_with(USAGE, *base, "--shape", "1,1,1,64,64,32", error="usage")
        self.fail_with(USAGE, *base, "--jsonl", self.path("more"), error="usage")
        self.fail_with(USAGE, "bench", "--config", self.write_config(), error="usage", contains="--shape")
        self.fail_with(USAGE, "bench", "--shape", "1,1,1,64,64,32", error="usage", contains="--config")
        self.fail_with(BAD_INPUT, "bench", "--from", self.path("none"), error="io")
        self.fail_with(BAD_INPUT, *base, "--html", good)
        bad = self.path("bad.jsonl")
        for changed in ({"config": 1}, {"shape": []}, {"shape": {**row["shape"], "len_q": "1"}},
                        {"attention": None}, {"whole_call": {}}, {"error": {}}, {"error": "text"}):
            bad.write_text(good.read_text() + json.dumps({**row, **changed}) + "\n")
            with self.subTest(changed):
                self.fail_with(BAD_INPUT, "bench", "--from", bad, error="invalid_input", contains="bad.jsonl:2")
        for text in ("{", "7", "[]", "{}"):
            bad.write_text(text + "\n")
            with self.subTest(text):
                self.fail_with(BAD_INPUT, "bench", "--from", bad, error="invalid_input", contains="bad.jsonl:1")


if __name__ == "__main__":
    main()
