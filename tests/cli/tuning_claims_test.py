#!/usr/bin/env python3
"""tools/tuning_claims.py on made-up results, and the shapes it is meant for."""

import json
import subprocess
import sys
import unittest

from command_line import ROOT, TestCase, main

SCRIPT = ROOT / "tools" / "tuning_claims.py"
SHAPE = {"batch": 1, "heads_q": 8, "heads_kv": 2, "len_q": 64, "len_k": 96, "head_dim": 64, "head_dim_v": 64}


def candidate(plan, predicted, ms=None, measured_for=160, status="measured"):
    fields = {"plan": plan, "predicted": {"whole_call_ms": predicted}, "status": status}
    if ms is None:
        return {**fields, "status": "pruned"}
    time = {"median_ms": ms, "q1_ms": ms * 0.99, "q3_ms": ms * 1.01, "samples": 9}
    return {**fields, "whole_call": time, "measured_for_ms": measured_for}


def result(winner, candidates, config="thread-d64", record=None):
    return {"config": config, "target": "sm_90a", "shape": SHAPE, "winner": winner, "complete": True,
            "candidates": candidates, "record": record}


def output(results, seconds=100, exhaustive=False):
    return {"seconds": seconds, "exhaustive": exhaustive, "results": results}


class Claims(TestCase):
    def claims(self, tuned, sweep, *arguments, expect=0):
        for name, value in (("tuned", tuned), ("sweep", sweep)):
            self.path(name).write_text(json.dumps(value))
        command = [sys.executable, SCRIPT, self.path("tuned"), self.path("sweep"), *arguments]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done.stdout

    def rows(self, tuned, sweep, expect=0):
        value = json.loads(self.claims(tuned, sweep, "--json", expect=expect))
        return value["rows"], [claim["holds"] for claim in value["claims"]]

    def test_all_hold(self):
        swept = [candidate("a", 1.0, 2.0), candidate("b", 1.1, 1.97), candidate("c", 9.0, 5.0, 5),
                 candidate("d", 0.9, 1.0, status="wrong"), candidate("lucky", 1.2, 1.9, 5)]
        tuned = output([result("a", [*swept[:2], candidate("c", 9.0)])])
        sweep = output([result("b", swept)], exhaustive=True)
        (row,), holds = self.rows(tuned, sweep)
        self.assertEqual((row["winner"], row["best"], row["rank"]), ("a", "b", 3))
        self.assertAlmostEqual(row["behind"], 2.0 / 1.97 - 1)
        self.assertEqual((row["candidates"], row["swept"], row["tuned"]), (5, 4, 2))
        self.assertEqual(row["shape"], "1,8,2,64,96,64")
        self.assertEqual(holds, [True, True, True])
        text = self.claims(tuned, sweep)
        self.assertIn("| thread-d64 | 1,8,2,64,96,64 | 4 of 5 | 2 | a | 2 | b | 1.97 (2.0 %) | 1.5 % | 3 | 0.0 % |", text)
        self.assertEqual(text.count("- holds:"), 3)

    def test_each_fails(self):
        many = [candidate(str(i), i + 1, 2.0) for i in range(6)]
        good = output([result("5", many)])
        sweep = output([result("5", many)], exhaustive=True)
        self.assertEqual(self.rows(good, sweep)[1], [True, True, True])  # a tie: the first is best
        many[5] = candidate("5", 6, 1.9)
        sweep = output([result("5", many)], exhaustive=True)
        rows, holds = self.rows(good, sweep, expect=1)
        self.assertEqual(holds, [True, True, False])
        self.assertAlmostEqual(rows[0]["first_behind"], 2.0 / 1.9 - 1)
        # Of equal predictions the earlier plan is the one that is tried first.
        alike = [candidate(str(i), 1, 1.9 if i == 5 else 2.0) for i in range(6)]
        rows, holds = self.rows(output([result("5", alike)]), output([result("5", alike)], exhaustive=True), 1)
        self.assertEqual((rows[0]["rank"], holds), (6, [True, True, False]))
        self.assertEqual(self.rows(output([result("0", many)]), sweep, expect=1)[1], [True, False, False])
        self.assertEqual(self.rows(output([result("5", many)], 301), sweep, expect=1)[1], [False, True, False])

    def test_nothing_to_compare_is_no_success(self):
        swept = [candidate("a", 1.0, 2.0), candidate("b", 1.1)]
        for winner, problem in (("a", "left out 1 plans"), (None, "measured by both"), ("b", "measured by both")):
            (row,), holds = self.rows(output([result(winner, swept)]),
                                      output([result("a", swept)], exhaustive=True), expect=1)
            self.assertIn(problem, row["problem"])
            self.assertEqual(holds, [True, False, False])
        whole = [result("a", swept[:1])]
        self.claims(output(whole), output(whole), expect=2)  # not exhaustive
        self.claims(output([]), output(whole, exhaustive=True), expect=2)
        self.claims(output(whole), output([result("a", swept[:1], "other")], exhaustive=True), expect=2)

    def test_only_what_was_measured_equally_long_is_compared(self):
        def raced(plan, ms, turns):
            return {**candidate(plan, 1.0, ms, turns * 12), "turns": turns}

        swept = [raced("a", 2.0, 48), raced("b", 1.97, 48), raced("left early", 1.9, 12), candidate("c", 1.0, 1.8, 999)]
        (row,), holds = self.rows(output([result("a", swept)]), output([result("b", swept)], exhaustive=True))
        self.assertEqual((row["best"], holds), ("b", [True, True, True]))
        (row,), holds = self.rows(output([result("left early", swept)]), output([result("b", swept)], exhaustive=True),
                                  expect=1)
        self.assertIn("not measured as long", row["problem"])
        self.assertEqual(holds, [True, False, False])

    def test_records_can_be_shipped(self):
        swept = [candidate("a", 1.0, 2.0)]
        record = {"kind": "tuning", "plan": {"tile_q": 64}}
        self.claims(output([result("a", swept)]),
                    output([result("a", swept, record=record)], exhaustive=True),
                    "--records", self.path("gpu.jsonl"))
        self.assertEqual(self.path("gpu.jsonl").read_text(), json.dumps(record, separators=(",", ":")) + "\n")


class Anchors(TestCase):
    def test_the_shapes_are_twelve_and_can_be_tuned(self):
        shapes = ROOT / "docs" / "benchmarks" / "anchors.txt"
        lines = [line for line in shapes.read_text().splitlines() if not line.startswith("#")]
        self.assertEqual(len(set(lines)), 12)
        configs = [self.config(f"thread-d{dim}") for dim in (64, 128, 256)]
        value = self.succeed_json("tune", "--config", *configs, "--shapes", shapes, "--device", "host",
                                  "--target", "sm_90a", "--explain")
        self.assertEqual(len(value["results"]), 12)


if __name__ == "__main__":
    main()
