#!/usr/bin/env python3
"""tools/bench_peers.py: without a GPU peers are rows that say why; tables and plots from rows."""

import json
import pathlib
import subprocess
import sys
import types
import unittest
import unittest.mock
import xml.etree.ElementTree

from command_line import ROOT, SAGEJIT, TestCase, main

sys.path.insert(0, str(ROOT / "tools"))
from peers import plot, report, shapes, timing  # noqa: E402

SCRIPT = ROOT / "tools" / "bench_peers.py"


def bench_peers(*arguments):
    command = [sys.executable, SCRIPT, "--sagejit", SAGEJIT, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)


def peer_row(peer, dtype, tflops, shape, causal=False, turn=1, **more):
    measured = {"skipped": tflops} if isinstance(tflops, str) else {"tflops": tflops}
    return {"kind": "peer", "peer": peer, "dtype": dtype, "causal": causal, "turn": turn,
            "kernel_alone": False, "shape": vars(shape).copy(), "device_name": "GPU", **measured, **more}


def our_row(config, alone, whole, shape, causal="none"):
    return {"kind": "bench", "config": config, "spec": {"causal": causal}, "shape": vars(shape).copy(),
            "device_name": "GPU", "attention": {"tflops": alone}, "whole_call": {"tflops": whole}}


class Shapes(unittest.TestCase):
    def test_work_agrees_with_sagejit(self):
        def count(shape, causal):
            pairs = sum(min(i + 1, shape.len_k) if causal else shape.len_k for i in range(shape.len_q))
            return 2 * shape.batch * shape.heads_q * pairs * (shape.head_dim + shape.head_dim_v)

        for text in ("1,2,1,5,9,32", "2,2,1,9,5,32,40", "1,1,1,7,7,64"):
            shape = shapes.Shape.parse(text)
            self.assertEqual(shape.text(), text)
            for causal in (False, True):
                self.assertEqual(shape.flops(causal), count(shape, causal))

    def test_wrong_shapes(self):
        for text in ("", "1,2,3", "1,2,1,5,9,32,40,1", "1,3,2,5,9,32", "0,2,1,5,9,32", "a,2,1,5,9,32"):
            with self.subTest(text), self.assertRaises(ValueError):
                shapes.Shape.parse(text)


class Timing(unittest.TestCase):
    def test_quantiles_are_those_of_sagejit(self):
        summary = timing.summarize([5, 1, 4, 2])
        self.assertEqual([summary[key] for key in ("median_ms", "q1_ms", "q3_ms")], [3, 1.75, 4.25])

    @staticmethod
    def launches(*arguments):
        """Samples, launches a sample and the indices of all launches, each of 1/16 ms."""
        class Event:
            now = 0.0

            def __init__(self, enable_timing):
                assert enable_timing

            def record(self):
                self.time = Event.now

            def elapsed_time(self, other):
                return other.time - self.time

        cuda = types.SimpleNamespace(Event=Event, synchronize=lambda: None)
        torch = types.SimpleNamespace(cuda=cuda)
        seen = []

        def launch(index):
            seen.append(index)
            Event.now += 0.0625

        return *timing.time_launches(torch, launch, *arguments), seen

    def test_launches_are_batched_and_counted(self):
        samples, launches, seen = self.launches(100)
        self.assertEqual(launches, 32)
        self.assertEqual(seen, list(range(len(seen))))
        self.assertEqual(samples, 50 * [0.0625])

    def test_rests_before_each_sample(self):
        with unittest.mock.patch.object(timing.time, "sleep") as sleep:
            samples, launches, seen = self.launches(100, 0.25)
        self.assertEqual((launches, samples), (32, 20 * [0.0625]))
        self.assertEqual(seen, list(range(len(seen))))
        self.assertEqual(sleep.call_args_list, 20 * [unittest.mock.call(0.25)])


class Report(TestCase):
    def setUp(self):
        super().setUp()
        a, b = shapes.square(1, 8, 4096, 64), shapes.square(2, 8, 4096, 128)
        self.rows = [
            peer_row("torch-flash", "fp16", 290.0, a),
            peer_row("torch-flash", "bf16", 300.0, a),
            peer_row("torch-flash", "bf16", 304.0, a, turn=2),
            peer_row("torch-cudnn", "fp16", "not <installed>", a),
            our_row("thread-d64", 600.0, 453.0, a),
            our_row("thread-d128-causal", 700.0, 600.0, b, "top_left"),
            our_row("thread-d128-causal", 710.0, 590.0, b, "top_left"),
        ]

    def test_table(self):
        lines = report.markdown(self.rows).splitlines()
        table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"]
        self.assertEqual(table[0][2:], ["torch-flash", "thread (alone)", "thread (whole)",
                                        "whole call / best peer"])
        self.assertEqual(table[2], ["1,8,8,4096,4096,64", "no", "302", "600", "453", "1.50"])
        self.assertEqual(table[3], ["2,8,8,4096,4096,128", "yes", "–", "710", "600", "–"])
        self.assertIn("- torch-cudnn: not <installed>", lines)

    def test_plot(self):
        tree = xml.etree.ElementTree.fromstring(plot.svg(self.rows))
        names = [title.text for title in tree.iter("{http://www.w3.org/2000/svg}title")]
        self.assertEqual(len(names), 5)
        self.assertIn("thread (whole): 453 TFLOPS", names)
        xml.etree.ElementTree.fromstring(plot.svg([]))

    def test_from_rows(self):
        rows = self.path("rows.jsonl")
        rows.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        result = bench_peers("--out", self.path("out"), "--from", rows)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.path("out/table.md").read_text(), report.markdown(self.rows))
        self.assertTrue(self.path("out/plot.svg").is_file())


class Run(TestCase):
    def test_on_the_host_device(self):
        config = self.write_config("tiny-d32")
        out = self.path("out")
        result = bench_peers("--out", out, "--device", "host", "--shapes", "1,2,1,64,64,32",
                             "1,2,1,64,64,64", "--configs", config, "--min-time", "0.01", "--rest", "0.001")
        self.assertEqual(result.returncode, 0, result.stderr)
        rows = [json.loads(line) for line in (out / "rows.jsonl").read_text().splitlines()]
        ours = [row for row in rows if row["kind"] == "bench"]
        # No config is for head_dim 64; both masks for 32, the missing one made from the given.
        self.assertEqual([(row["config"], row["spec"]["causal"]) for row in ours],
                         [("tiny-d32", "none"), ("tiny-d32-causal", "top_left")])
        self.assertEqual([row["rest_s"] for row in ours], [0.001, 0.001])
        peers = [row for row in rows if row["kind"] == "peer"]
        self.assertEqual({row["peer"] for row in peers} >= {"torch-flash", "torch-cudnn"}, True)
        self.assertTrue(all(row["skipped"] for row in peers))
        self.assertIn("1,2,1,64,64,32", result.stdout)

    def test_budget_and_failures(self):
        config = self.write_config("tiny")
        base = ["--out", self.path("out"), "--device", "host", "--configs", config, "--min-time", "0.01"]
        two = ["--shapes", "1,1,1,64,64,32", "1,1,1,65,64,32"]
        result = bench_peers(*base, *two, "--budget", "1e-9", "--peers", "torch-flash")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("not measured", result.stderr)
        result = bench_peers(*base, *two[:2], "--causal", "no", "--sagejit", "/nonexistent")
        self.assertEqual(result.returncode, 1)
        self.assertIn("sagejit did not run", result.stderr)
        broken = self.path("broken.json")
        broken.write_text('{"head_dim": 32, "colour": 1}')
        result = bench_peers(*base, *two[:2], "--causal", "no", "--configs", broken)
        self.assertEqual(result.returncode, 1)
        self.assertIn("colour", result.stderr)

    def test_usage(self):
        for wrong in (["--shapes", "1,2"], ["--min-time", "0"], ["--rest", "-1"],
                      ["--peers", "none"], ["--causal", "x"]):
            with self.subTest(wrong):
                self.assertEqual(bench_peers("--out", self.path("out"), *wrong).returncode, 2)
        self.assertEqual(bench_peers().returncode, 2)
        self.assertFalse(pathlib.Path(self.path("out")).exists())


if __name__ == "__main__":
    main()
