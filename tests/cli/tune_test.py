#!/usr/bin/env python3
"""sagejit tune: estimates on the host device; the whole search against the stub driver, which runs
no kernel, so that every candidate is a row that says why and none wins."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

from command_line import BAD_INPUT, FAILED, NO_DEVICE, SAGEJIT, USAGE, TestCase, main, sagejit

HOST = ("--device", "host")
SHAPE = ("--shape", "1,2,1,256,256,32")
STUB = os.environ.get("SAGEJIT_STUB_CUDA", "")


def sagejit_json(*arguments, **options):
    """The JSON object, whatever the exit code."""
    return json.loads(sagejit(*arguments, "--json", **options).stdout)


def measured(ms, turns):
    """What a log's row says of a candidate that a GPU has measured."""
    span = {"median_ms": ms, "q1_ms": ms, "q3_ms": ms, "min_ms": ms, "max_ms": ms, "samples": 9}
    return {"status": "measured", "error": "", "ms_asked": 160, "turns": turns, "whole_call": span,
            "attention": span, "rel_l1": 0.01, "rel_l1_limit": 0.02}


class Tuned(TestCase):
    def setUp(self):
        super().setUp()
        self.cache = self.path("cache")
        self.environment = {"SAGEJIT_CACHE_DIR": str(self.cache)}
        self.config_file = self.write_config(tile={"tile_q": 64})

    def lines(self, name):
        path = self.cache / "tune" / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Estimate(Tuned):
    def tune(self, *arguments):
        return self.succeed_json("tune", *arguments, *HOST, env=self.environment)

    def test_ranks_by_the_model_and_says_so(self):
        value = self.tune("--config", self.config_file, *SHAPE, "--target", "sm_90")
        self.assertEqual(value["device"], "host")
        (result,) = value["results"]
        self.assertTrue(result["estimate"])
        self.assertEqual(result["target"], "sm_90")
        self.assertGreater(len(result["candidates"]), 4)
        times = [c["predicted"]["whole_call_ms"] for c in result["candidates"]]
        checked = [c for c in result["candidates"] if c["status"] == "checked"]
        self.assertEqual(len(checked), 3)
        (winner,) = [c for c in checked if c["plan"] == result["winner"]]
        self.assertLessEqual(winner["rel_l1"], winner["rel_l1_limit"])
        # The fewest instructions of those that the model cannot tell from the best.
        alike = [c for c in checked if c["predicted"]["whole_call_ms"] <= 1.01 * min(times)]
        self.assertEqual(winner["instructions"]["total"], min(c["instructions"]["total"] for c in alike))
        self.assertEqual(result["predicted_rank"],
                         1 + sum(time < winner["predicted"]["whole_call_ms"] for time in times))
        self.assertGreaterEqual(result["gain"], 1 - 1.01)  # alike counts as equal
        for candidate in result["candidates"]:
            self.assertIn(candidate["status"], ("checked", "predicted"))
            self.assertIn(candidate["predicted"]["limit"],
                          ("tensor", "exponential", "vector", "shared_memory", "l2_cache", "memory",
                           "latency"))
        (record,) = self.lines("records.jsonl")
        self.assertEqual(record, result["record"])
        self.assertTrue(record["estimate"])
        self.assertIsNone(record["whole_call"])
        self.assertEqual(record["bucket"], {"rows": 2, "len_q": 256, "len_k": 256})
        self.assertEqual(record["spec"]["tile"], {"tile_q": 64})
        self.assertNotIn("name", record["spec"])

    def test_counts_the_instructions_of_both_families(self):
        """Of the check's problem: 2 heads, 301 queries, 613 keys; whole tiles are multiplied."""
        (result,) = self.tune("--config", self.config(), "--shape", "1,2,1,256,256,64",
                              "--target", "sm_89")["results"]
        checked = [c for c in result["candidates"] if c["status"] == "checked"]
        self.assertTrue(checked)
        for candidate in checked:
            tiles = candidate["choices"]
            queries = -(-301 // tiles["tile_q"]) * tiles["tile_q"]
            keys = -(-613 // tiles["tile_k"]) * tiles["tile_k"]
            products = keys // 8 * (64 // 32) + keys // 16 * (64 // 8)  # m16n8k32 of s8, m16n8k16 of f16
            counts = candidate["instructions"]
            self.assertEqual(counts["mma"], 2 * queries // 16 * products, candidate["plan"])
            self.assertEqual(counts["wgmma"], 0)
            self.assertEqual(counts["total"], sum(counts.values()) - counts["total"])
        (result,) = self.tune("--config", self.config(), "--shape", "1,2,1,256,256,64",
                              "--target", "sm_90a")["results"]
        for candidate in result["candidates"]:
            if candidate["status"] == "checked":
                self.assertGreater(candidate["instructions"]["wgmma"], 0)
                self.assertEqual(candidate["instructions"]["mma"], 0)

    def test_estimates_do_not_choose_plans(self):
        self.tune("--config", self.config_file, *SHAPE)
        (result,) = self.tune("--config", self.config_file, *SHAPE, "--explain")["results"]
        self.assertEqual(result["match"], "none")
        self.assertEqual(result["plan"], result["default"])
        self.assertIsNone(result["record"])

    def test_shapes_go_to_the_configs_of_their_head_dim(self):
        wide = self.write_config("wide", head_dim=64, tile={"tile_q": 64, "tile_k": 64, "warp_q": 16})
        shapes = self.path("shapes")
        shapes.write_text("# two\n1,2,1,300,300,64\n\n1,2,2,128,128,32\n")
        value = self.tune("--config", self.config_file, wide, "--shapes", shapes, *SHAPE)
        pairs = [(r["config"], r["shape"]["len_q"], r["shape"]["head_dim"]) for r in value["results"]]
        self.assertEqual(pairs, [("own", 256, 32), ("own", 128, 32), ("wide", 300, 64)])
        self.assertEqual(len(self.lines("records.jsonl")), 3)

    def test_table(self):
        result = self.succeed("tune", "--config", self.config_file, *SHAPE, *HOST, env=self.environment)
        title, header, row = result.stdout.splitlines()
        self.assertEqual(title, "own")
        self.assertTrue(header.startswith("shape"))
        self.assertIn("~", row)
        self.assertIn("ranked by the analytic model", result.stderr)
        text = self.succeed("tune", "--config", self.config_file, *SHAPE, *HOST, "--explain",
                            env=self.environment).stdout
        self.assertIn("match      none: nobody has measured", text)
        self.assertIn("limited by", text)


class Refused(Tuned):
    def test_usage(self):
        base = ("tune", "--config", self.config_file, *HOST)
        self.fail_with(USAGE, *base, error="usage", contains="--shape")
        for budget in ("", "x", "0", "-1", "1.5", "10h", "99999999999", "5 m"):
            with self.subTest(budget):
                self.fail_with(USAGE, *base, *SHAPE, f"--budget={budget}", error="usage")
        self.fail_with(USAGE, *base, *SHAPE, "--jobs", "300", error="usage")
        self.fail_with(USAGE, *base, "--shape", "1,2,1,64,64", error="usage")

    def test_pairs(self):
        base = ("tune", "--config", self.config_file, *HOST)
        self.fail_with(BAD_INPUT, *base, *SHAPE, "--shape", "1,1,1,64,64,64",
                       error="invalid_argument", contains="head dimensions")
        other = self.write_config("other", head_dim=64)
        self.fail_with(BAD_INPUT, *base, "--config", other, *SHAPE, error="invalid_argument",
                       contains="other.json")
        self.fail_with(BAD_INPUT, *base, "--shape", "0,1,1,64,64,32", error="invalid_argument")
        self.fail_with(BAD_INPUT, *base, "--shapes", self.path("none"), error="io")
        self.fail_with(NO_DEVICE, "tune", "--config", self.config_file, *SHAPE, "--device", "cuda:0",
                       error="no_driver", env={"SAGEJIT_LIBCUDA": "/nonexistent"})

    def test_worker_measures(self):
        """The protocol, on the host device, which stands in for a GPU there."""
        spec = json.loads(self.config_file.read_text())
        requests = [
            {"spec": spec, "target": "sm_80", "device": "host"},
            {"do": "compile", "candidate": 1},
            {"do": "check", "candidate": 1},
            {"do": "measure", "candidate": 1, "shape": [1, 2, 1, 70, 90], "ms": 2},
            {"do": "turn", "candidates": [2, 1], "shape": [1, 2, 1, 70, 90], "ms": 1},
            {"do": "turn", "candidates": [1], "shape": [1, 2, 1, 80, 90], "ms": 1, "attention": True},
            {"do": "check", "candidate": 9999},
        ]
        reading, writing = os.pipe()
        os.write(writing, "".join(json.dumps(request) + "\n" for request in requests).encode())
        os.close(writing)
        result = sagejit("--tune-worker", stdin=reading, env=self.environment)
        os.close(reading)
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        compiled, checked, timed, both, alone, unknown = answers
        self.assertIn("compile_ms", compiled)
        self.assertTrue(checked["passed"])
        self.assertLessEqual(checked["rel_l1"], checked["limit"])
        for column in ("whole_call", "attention"):
            self.assertGreater(timed[column]["median_ms"], 0)
            self.assertGreaterEqual(timed[column]["samples"], 3)
        self.assertEqual((len(both["ms"]), len(alone["ms"])), (2, 1))
        self.assertGreater(min(both["ms"] + alone["ms"]), 0)
        self.assertGreaterEqual(both["spent_ms"], sum(both["ms"]))
        self.assertEqual(unknown["error"]["code"], "internal")  # there is no candidate 9999

    def test_worker_ends_with_its_input(self):
        result = sagejit("--tune-worker")
        self.assertEqual((result.returncode, result.stdout), (0, ""))


@unittest.skipUnless(pathlib.Path(STUB).is_file(), "no stub driver")
class OnStubDriver(Tuned):
    """Kernels do nothing there, so every candidate fails its check."""

    def setUp(self):
        super().setUp()
        self.environment["SAGEJIT_LIBCUDA"] = STUB
        if sagejit("compile", "--config", self.config_file, "--target", "sm_90").returncode == NO_DEVICE:
            self.skipTest("no NVRTC")

    def tune(self, *arguments):
        config = self.write_config("few", tile={"tile_q": 64, "tile_k": 64, "warp_q": 16})
        result = sagejit("tune", "--config", config, *SHAPE, "--device", "cuda:0", "--json", *arguments,
                         env=self.environment)
        self.assertEqual(result.returncode, FAILED, result.stderr)
        (value,) = self.parse(result.stdout)["results"]
        return value

    def test_failures_are_rows_and_are_not_tried_again(self):
        value = self.tune()
        self.assertIsNone(value["winner"])
        self.assertIsNone(value["record"])
        statuses = {candidate["status"] for candidate in value["candidates"]}
        self.assertEqual(statuses, {"wrong"})
        for candidate in value["candidates"]:
            self.assertIn("rel_l1", candidate["error"])
            self.assertGreater(candidate["registers"], 0)
            self.assertFalse(candidate["resumed"])
        rows = self.lines("measurements.jsonl")
        self.assertEqual(len(rows), len(value["candidates"]))
        self.assertEqual({row["kind"] for row in rows}, {"tune_measurement"})
        self.assertEqual(self.lines("records.jsonl"), [])

        # Once more: nothing is measured, the rows tell all.
        again = self.tune()
        self.assertTrue(all(candidate["resumed"] for candidate in again["candidates"]))
        self.assertEqual(len(self.lines("measurements.jsonl")), len(rows))
        # Unless asked to.
        self.tune("--again")
        self.assertEqual(len(self.lines("measurements.jsonl")), 2 * len(rows))

    def start_slowly(self):
        """A tuning whose candidates arrive one after the other."""
        config = self.write_config("few", tile={"tile_q": 64, "tile_k": 64, "warp_q": 16})
        environment = {**os.environ, **self.environment, "SAGEJIT_NVRTC": os.environ["SAGEJIT_STUB_NVRTC"],
                       "SAGEJIT_STUB_NVRTC_MS": "400"}
        command = [SAGEJIT, "tune", "--config", str(config), *SHAPE, "--device", "cuda:0", "--jobs", "1"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def test_a_tuning_that_is_killed_loses_nothing(self):
        self.environment["SAGEJIT_NVRTC"] = os.environ["SAGEJIT_STUB_NVRTC"]
        for number in (signal.SIGKILL, signal.SIGINT):
            with self.subTest(number.name):
                shutil.rmtree(self.cache, ignore_errors=True)
                process = self.start_slowly()
                deadline = time.monotonic() + 60
                while len(self.lines("measurements.jsonl")) < 2:
                    self.assertIsNone(process.poll())
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=60), -number)
                finished = self.lines("measurements.jsonl")
                candidates = self.tune()["candidates"]
                self.assertLess(len(finished), len(candidates))
                rows = self.lines("measurements.jsonl")
                self.assertEqual(rows[: len(finished)], finished)
                self.assertEqual(len(rows), len(candidates))  # none was measured twice
                self.assertEqual(sum(row["resumed"] for row in candidates), len(finished))

    def test_when_the_budget_is_over_what_is_known_still_decides(self):
        """Every shape gets a record of the best that is known of it, whatever the others took."""
        self.environment["SAGEJIT_NVRTC"] = os.environ["SAGEJIT_STUB_NVRTC"]
        config = self.write_config("few", tile={"tile_q": 64, "tile_k": 64, "warp_q": 16})
        known = "1,2,1,512,512,32"
        arguments = ("tune", "--config", config, *SHAPE, "--shape", known, "--device", "cuda:0")
        sagejit(*arguments, env=self.environment)
        log = self.cache / "tune" / "measurements.jsonl"
        rows = [row for row in self.lines("measurements.jsonl") if row["key"]["shape"][3] == 512]
        self.assertGreater(len(rows), 2)
        for place, row in enumerate(rows):  # as a GPU would have left them, the second one the fastest
            row |= measured(3.0 - 2 * (place == 1), turns=9)
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))
        shutil.rmtree(self.cache / "v1")
        self.environment["SAGEJIT_STUB_NVRTC_MS"] = "1500"
        result = sagejit(*arguments, "--budget", "1s", "--jobs", "1", "--json", env=self.environment)
        self.assertEqual(result.returncode, FAILED, result.stderr)  # kernels do nothing here
        value = self.parse(result.stdout)
        first, second = value["results"]
        self.assertGreaterEqual(value["seconds"], 1.5)
        self.assertFalse(first["complete"])
        statuses = [candidate["status"] for candidate in first["candidates"]]
        self.assertEqual((statuses[0], set(statuses[1:])), ("wrong", {"not_reached"}))
        self.assertIsNone(first["record"])
        self.assertTrue(second["complete"])
        self.assertTrue(all(candidate["resumed"] for candidate in second["candidates"]))
        self.assertEqual({candidate["measured_for_ms"] for candidate in second["candidates"]}, {160})
        fastest = [c["plan"] for c in second["candidates"] if c["whole_call"]["median_ms"] == 1]
        self.assertEqual([second["winner"]], fastest)
        (record,) = self.lines("records.jsonl")
        self.assertEqual(record, second["record"])
        self.assertEqual(record["plan"], rows[1]["key"]["plan"])
        self.assertIn("the budget ended the search early", result.stderr)

        # A sweep goes on from there: nothing is measured again.
        sweep = sagejit_json("tune", "--config", config, "--shape", known, "--device", "cuda:0",
                             "--exhaustive", env=self.environment)
        self.assertTrue(sweep["exhaustive"])
        self.assertEqual(sweep["results"][0]["winner"], second["winner"])
        self.assertEqual(len(self.lines("measurements.jsonl")), len(rows) + 1)

    def test_the_fastest_race_and_the_race_is_kept(self):
        """The stub's kernels do nothing, but their launches take time: a race of equals."""
        self.environment["SAGEJIT_NVRTC"] = os.environ["SAGEJIT_STUB_NVRTC"]
        config = self.write_config("few", tile={"tile_q": 64, "tile_k": 64, "warp_q": 16})
        arguments = ("tune", "--config", config, *SHAPE, "--device", "cuda:0")
        sagejit(*arguments, env=self.environment)
        log = self.cache / "tune" / "measurements.jsonl"
        rows = self.lines("measurements.jsonl")
        self.assertGreater(len(rows), 3)
        for place, row in enumerate(rows):
            row |= measured(1 + 0.01 * place if place < 3 else 5.0, turns=0)
        log.write_text("".join(json.dumps(row) + "\n" for row in rows))

        value = self.succeed_json(*arguments, env=self.environment)
        (result,) = value["results"]
        self.assertTrue(result["complete"])
        kept = self.lines("measurements.jsonl")[len(rows):]
        self.assertEqual([row["key"]["plan"] for row in kept], [row["key"]["plan"] for row in rows[:3]])
        raced = [c for c in result["candidates"] if c["turns"] > 0]
        self.assertEqual([c["choices"] for c in raced], [row["key"]["plan"] for row in rows[:3]])
        for row, candidate in zip(kept, raced):
            self.assertGreaterEqual(row["turns"], 5)
            self.assertEqual(row["turns"], candidate["turns"])
            self.assertLess(row["whole_call"]["median_ms"], 1)
            self.assertEqual(row["whole_call"]["median_ms"], candidate["whole_call"]["median_ms"])
            self.assertEqual(row["rel_l1"], 0.01)
        (record,) = self.lines("records.jsonl")
        self.assertIn(record["plan"], [c["choices"] for c in raced])
        self.assertLess(record["attention"]["median_ms"], 1)
        self.assertEqual(record["attention"]["samples"], 5)

        # It is not held again, unless for another candidate.
        (again,) = self.succeed_json(*arguments, env=self.environment)["results"]
        self.assertTrue(again["complete"])
        self.assertEqual(len(self.lines("measurements.jsonl")), len(rows) + 3)
        self.assertEqual([c["turns"] for c in again["candidates"]],
                         [c["turns"] for c in result["candidates"]])

    def test_records_choose_plans(self):
        """What a tuning on this GPU would have written decides what bench and explain take."""
        config = self.write_config("few", tile={"tile_q": 64})
        shape = ("--shape", "1,2,1,256,256,32")
        (estimate,) = self.succeed_json("tune", "--config", config, *shape, *HOST, "--target", "sm_90",
                                        env=self.environment)["results"]
        (gpu,) = sagejit_json("doctor", env=self.environment)["gpus"]
        time = {"median_ms": 1.0, "q1_ms": 0.9, "q3_ms": 1.1, "samples": 9}
        wanted = estimate["candidates"][3]
        record = {
            **estimate["record"], "estimate": False, "plan": wanted["choices"], "whole_call": time,
            "attention": time, "default_whole_call": {**time, "median_ms": 1.25},
            "device": {"name": gpu["name"], "multiprocessors": gpu["multiprocessors"],
                       "compute_capability": "9.0", "driver": ""},
        }
        with open(self.cache / "tune" / "records.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

        def measure(*arguments):
            result = sagejit("bench", "--config", config, "--device", "cuda:0", "--min-time", "0.001",
                             "--allow-slow-code", "--json", *arguments, env=self.environment)
            self.assertEqual(result.returncode, FAILED, result.stderr)  # nothing is computed
            return [(row["plan"], row["tuning"]) for row in self.parse(result.stdout)["rows"]]

        self.assertEqual(measure(*shape, "--shape", "1,2,1,999,999,32"),
                         [(wanted["plan"], "exact"), (wanted["plan"], "other_shape")])
        self.assertEqual(measure(*shape, "--no-tuning"), [(estimate["default"], "none")])
        (why,) = self.succeed_json("tune", "--config", config, *shape, "--device", "cuda:0", "--explain",
                                   env=self.environment)["results"]
        self.assertEqual((why["plan"], why["match"]), (wanted["plan"], "exact"))
        self.assertEqual(why["default"], estimate["default"])
        text = self.succeed("tune", "--config", config, *shape, "--device", "cuda:0", "--explain",
                            env=self.environment).stdout
        self.assertIn("25.0 % slower", text)

    def test_code_that_spills_is_a_row_and_not_timed(self):
        self.environment["SAGEJIT_NVRTC"] = os.environ["SAGEJIT_STUB_NVRTC"]
        for name, word in (("SPILL", "spilled registers in attention"), ("SERIAL", "C7510")):
            with self.subTest(name):
                self.environment["SAGEJIT_STUB_NVRTC_" + name] = "constexpr int stages = 3;"
                rows = self.tune("--again")["candidates"]
                del self.environment["SAGEJIT_STUB_NVRTC_" + name]
                shutil.rmtree(self.cache / "v1")
                slow = [row for row in rows if row["choices"]["stages"] == 3]
                rest = [row for row in rows if row["choices"]["stages"] != 3]
                self.assertTrue(slow and rest)
                self.assertEqual({row["status"] for row in slow}, {"slow_code"})
                self.assertEqual({row["status"] for row in rest}, {"wrong"})  # the stub runs nothing
                for row in slow:
                    self.assertIn(word, row["error"])
                    self.assertIsNone(row["whole_call"])

    def test_bench_does_not_time_candidates_that_spill(self):
        self.environment["SAGEJIT_NVRTC"] = os.environ["SAGEJIT_STUB_NVRTC"]
        self.environment["SAGEJIT_STUB_NVRTC_SPILL"] = "constexpr int stages = 3;"
        config = self.write_config("few", tile={"tile_q": 64, "tile_k": 64, "warp_q": 16})
        arguments = ("bench", "--config", config, *SHAPE, "--device", "cuda:0", "--min-time", "0.001",
                     "--candidates", "--json")
        rows = self.parse(sagejit(*arguments, env=self.environment).stdout)["rows"]
        slow = [row for row in rows if row.get("error", {}).get("code") == "unsupported_target"]
        self.assertTrue(0 < len(slow) < len(rows))
        for row in slow:
            self.assertIn("spilled registers", row["error"]["message"])
            self.assertNotIn("whole_call", row)
        rows = self.parse(sagejit(*arguments, "--allow-slow-code", env=self.environment).stdout)["rows"]
        codes = {row.get("error", {}).get("code") for row in rows}
        self.assertNotIn("unsupported_target", codes)

    def shared_bytes(self, value, row):
        config = self.write_config("one", tile=row["choices"])
        plan = self.succeed_json("plan", "--config", config, "--target", value["target"])["plan"]
        return plan["shared_memory"]["bytes"]

    def test_a_candidate_that_kills_or_hangs_its_process_is_a_row(self):
        """Neither ends the search, nor is it tried again; the others get their rows."""
        for name, status, word in (("KILL", "crashed", "signal 9"), ("HANG", "hung", "no answer for 2 s")):
            with self.subTest(name):
                shutil.rmtree(self.cache, ignore_errors=True)
                value = self.tune("--again")
                rows = value["candidates"]
                self.assertEqual({row["status"] for row in rows}, {"wrong"})
                wanted = self.shared_bytes(value, rows[1])
                with_bytes = [row for row in rows if self.shared_bytes(value, row) == wanted]
                self.assertLess(len(with_bytes), len(rows))
                (self.cache / "tune" / "measurements.jsonl").unlink()
                self.environment["SAGEJIT_STUB_" + name] = str(wanted)
                began = time.monotonic()
                rows = self.tune("--timeout", "2s")["candidates"]
                took = time.monotonic() - began
                again = self.tune("--timeout", "2s")["candidates"]
                del self.environment["SAGEJIT_STUB_" + name]
                plans = {row["plan"] for row in with_bytes}
                for row in rows:
                    self.assertEqual(row["status"], status if row["plan"] in plans else "wrong", row)
                    if row["plan"] in plans:
                        self.assertIn(word, row["error"])
                self.assertEqual(len(self.lines("measurements.jsonl")), len(rows))
                self.assertTrue(all(row["resumed"] for row in again))
                self.assertLess(took, 30 + 3 * len(with_bytes))

    def test_a_compiler_that_hangs_or_is_killed_is_a_row(self):
        self.environment["SAGEJIT_NVRTC"] = os.environ["SAGEJIT_STUB_NVRTC"]
        self.environment["SAGEJIT_STUB_NVRTC_MS"] = "60000"
        rows = self.tune("--timeout", "1s", "--jobs", "8")["candidates"]
        self.assertEqual({row["status"] for row in rows}, {"hung"})

    def test_a_lost_context_is_a_row(self):
        self.environment["SAGEJIT_STUB_FAIL"] = "cuStreamSynchronize=700"
        value = self.tune()
        self.assertEqual({c["status"] for c in value["candidates"]}, {"launch_failed"})

    def test_a_compiler_that_fails_is_a_row(self):
        self.environment["SAGEJIT_NVRTC"] = "/nonexistent"
        value = self.tune()
        self.assertEqual({c["status"] for c in value["candidates"]}, {"no_nvrtc"})


if __name__ == "__main__":
    main()
