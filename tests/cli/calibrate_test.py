#!/usr/bin/env python3
"""sagejit calibrate on the host device, and the layer plan it writes, as sagejit run takes it."""

import json
import os
import re

from command_line import (
    BAD_INPUT,
    FAILED,
    ROOT,
    USAGE,
    TestCase,
    main,
    read_safetensors,
    sagejit,
    write_safetensors,
)

try:
    import jsonschema
except ImportError:
    jsonschema = None


class Calibrate(TestCase):
    def setUp(self):
        super().setUp()
        self.inputs = {}
        # Keys with a strong mean lose their differences unless it is subtracted.
        for name, distribution in (("easy", "normal"), ("hard", "k_channel_bias")):
            self.inputs[name] = self.path(f"{name}.safetensors")
            self.succeed(
                *("make-input", "--distribution", distribution, "--shape", "1,2,2,128,128,64"),
                *("-o", self.inputs[name]),
            )
        self.base = ("calibrate", "--config", self.config(), "--device", "host", "--input")

    def test_chooses_the_fastest_above_the_threshold(self):
        plan_file = self.path("layers.json")
        value = self.succeed_json(
            *self.base, *self.inputs.values(), "-o", plan_file, "--threshold", "0.9993"
        )
        self.assertEqual([layer["layer"] for layer in value["layers"]], ["easy", "hard"])
        self.assertEqual(value["timing"], "estimated")
        for layer in value["layers"]:
            classes = {result["class"]: result for result in layer["classes"]}
            self.assertLessEqual(
                {"config", "thread int8", "token", "block int8", "block fp16 sums",
                 "thread, not smoothed"},
                set(classes),
            )
            passing = [r for r in classes.values() if r["cosine"] >= 0.9993]
            chosen = classes[layer["chosen"]]
            self.assertIn(chosen, passing)
            self.assertEqual(chosen["whole_call_ms"], min(r["whole_call_ms"] for r in passing))
            for result in classes.values():
                self.assertLessEqual(result["worst_head_cosine"], result["cosine"] + 1e-3)
            base = classes["config"]["whole_call_ms"]
            self.assertAlmostEqual(layer["gain"], base / chosen["whole_call_ms"])
        # One layer stands keys that are not smoothed, the other does not.
        easy, hard = ({r["class"]: r["cosine"] for r in layer["classes"]} for layer in value["layers"])
        self.assertGreater(easy["thread, not smoothed"], 0.9993)
        self.assertLess(hard["thread, not smoothed"], 0.9993)
        self.assertIn("not smoothed", value["layers"][0]["chosen"])
        self.assertNotIn("not smoothed", value["layers"][1]["chosen"])
        self.check_plan(json.loads(plan_file.read_text()), value)
        self.check_run(plan_file)

    def check_plan(self, plan, value):
        if jsonschema:
            schema = json.loads((ROOT / "configs" / "layers" / "schema.json").read_text())
            jsonschema.validate(plan, schema)
            config = json.loads((ROOT / "configs" / "schema.json").read_text())
            for layer in plan["layers"]:
                jsonschema.validate(layer["config"], config)
        for layer, result in zip(plan["layers"], value["layers"]):
            self.assertEqual(layer["layer"], result["layer"])
            self.assertEqual(layer["measured"]["class"], result["chosen"])
            self.assertIs(layer["measured"]["passed"], True)

    def check_run(self, plan_file):
        """Each layer gets its own config; the layer is the input's name, or named."""
        plan = {layer["layer"]: layer["config"] for layer in json.loads(plan_file.read_text())["layers"]}
        run = ("run", "--layers", plan_file, "--device", "host", "--output", self.path("o.safetensors"))
        for name, path in self.inputs.items():
            self.succeed(*run, "--input", path)
            _, metadata = read_safetensors(self.path("o.safetensors"))
            self.assertEqual(json.loads(metadata["config"])["qk"], plan[name]["qk"])
            self.assertEqual(json.loads(metadata["config"])["pv"], plan[name]["pv"])
        value = self.succeed_json(*run, "--input", self.inputs["easy"], "--layer", "hard")
        self.assertEqual(value["config"], "hard")
        # Several layers in one file.
        tensors = {}
        for name, path in self.inputs.items():
            stored, _ = read_safetensors(path)
            content = path.read_bytes()
            length = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + length])
            for tensor, (dtype, shape, _) in stored.items():
                begin, end = (8 + length + offset for offset in header[tensor]["data_offsets"])
                tensors[f"{name}.{tensor}"] = (dtype, shape, content[begin:end])
        both = self.path("both.safetensors")
        write_safetensors(both, tensors)
        self.succeed(*run, "--input", self.inputs["hard"])
        alone = self.path("o.safetensors").read_bytes()
        self.succeed(*run, "--input", both, "--layer", "hard")
        self.assertEqual(self.path("o.safetensors").read_bytes(), alone)
        self.path("o.safetensors").unlink()
        error = self.fail_with(BAD_INPUT, *run, "--input", both)
        self.assertIn("easy, hard", error["message"])
        self.fail_with(BAD_INPUT, *run, "--input", both, "--layer", "other")
        error = self.fail_with(BAD_INPUT, *run, "--input", self.inputs["easy"], "--layer", "other")
        self.assertIn("easy, hard", error["fix"])
        (layers,) = ([layer["layer"] for layer in self.succeed_json(*self.base, both)["layers"]],)
        self.assertEqual(layers, ["easy", "hard"])

    def test_no_class_is_good_enough(self):
        plan_file = self.path("layers.json")
        result = sagejit(
            *self.base, self.inputs["hard"], "--threshold", "0.99999999", "-o", plan_file
        )
        self.assertEqual(result.returncode, FAILED)
        self.assertIn("failed: no class reaches 0.99999999 on hard", result.stderr)
        (layer,) = json.loads(plan_file.read_text())["layers"]
        self.assertIs(layer["measured"]["passed"], False)

    def test_table(self):
        table = self.succeed(*self.base, *self.inputs.values(), "--worst-head").stdout
        lines = table.splitlines()
        self.assertTrue(all(len(line) <= 100 for line in lines), table)
        self.assertTrue(lines[1].startswith("easy ") and lines[1].endswith(" yes"))
        self.assertIn("estimated for sm_80", table)

    def test_on_a_gpu(self):
        """Times are measured there, and accuracies are those of the host device."""
        if not self.parse(sagejit("doctor", "--json").stdout)["can_run_on_gpu"]:
            self.skipTest("no GPU can be used")
        on_gpu = (*self.base[:3], "--device", "cuda:0", "--input", self.inputs["easy"])
        measured = self.succeed_json(*on_gpu)
        estimated = self.succeed_json(*self.base, self.inputs["easy"])
        self.assertEqual(measured["timing"], "measured")
        host = {r["class"]: r["cosine"] for r in estimated["layers"][0]["classes"]}
        for result in measured["layers"][0]["classes"]:
            self.assertGreater(result["whole_call_ms"], 0)
            if result["class"] in host:
                self.assertAlmostEqual(result["cosine"], host[result["class"]], delta=1e-4)

    def test_a_class_that_spills_with_the_tiles_of_the_config_is_skipped(self):
        config = self.write_config("tiles", head_dim=64, tile={"tile_q": 128, "tile_k": 64})
        env = {
            "SAGEJIT_LIBCUDA": os.environ["SAGEJIT_STUB_CUDA"],
            "SAGEJIT_NVRTC": os.environ["SAGEJIT_STUB_NVRTC"],
            "SAGEJIT_STUB_NVRTC_SPILL": '"granularity": "token"',
            "SAGEJIT_CACHE_DIR": str(self.path("cache")),
        }
        arguments = ("calibrate", "--config", config, "--device", "cuda:0", "--input", self.inputs["easy"])
        result = sagejit(*arguments, "--json", env=env)  # the stub computes nothing
        value = self.parse(result.stdout)
        skipped = {each["class"]: each["reason"] for each in value["skipped"]}
        tried = {each["class"] for each in value["layers"][0]["classes"]}
        self.assertIn("spilled registers", skipped.get("token", ""), skipped)
        self.assertNotIn("token", tried)
        self.assertIn("config", tried)

    def test_refused(self):
        easy = self.inputs["easy"]
        for threshold in ("0", "1", "-0.5", "nan"):
            self.fail_with(USAGE, *self.base, easy, "--threshold", threshold)
        self.fail_with(BAD_INPUT, *self.base, easy, easy, error="invalid_input")
        self.fail_with(BAD_INPUT, *self.base, easy, "-o", easy, error="invalid_argument")
        self.fail_with(USAGE, *self.base, easy, "-o", self.path("x"), "--html", self.path("x"))
        self.fail_with(BAD_INPUT, "calibrate", "--config", self.write_config(), "--input", easy)
        run = ("run", "--input", easy, "--output", self.path("o"))
        self.fail_with(USAGE, *run, contains="--config is required")
        self.fail_with(USAGE, *run, "--config", self.config(), "--layers", "x")
        self.fail_with(USAGE, *run, "--config", self.config(), "--layer", "x")
        plan = self.path("plan.json")
        good = {"schema_version": 1, "layers": [{"layer": "easy", "config": {"head_dim": 64}}]}
        bad = {
            "[]": "object",
            "{": "not JSON",
            '{"layers": []}': "must be 1",
            json.dumps({**good, "layers": []}): "at least one layer",
            json.dumps({**good, "extra": 1}): "unknown key",
            json.dumps({**good, "layers": good["layers"] * 2}): "more than once",
            json.dumps({**good, "layers": [{"layer": "easy"}]}): "is missing",
            re.sub("64", '64, "head_dim": 64', json.dumps(good)): "twice",
            json.dumps(good).replace("head_dim", "head_dims"): "head_dims",
        }
        for text, message in bad.items():
            with self.subTest(text):
                plan.write_text(text)
                error = self.fail_with(
                    BAD_INPUT, *run, "--layers", plan, error="invalid_config"
                )
                self.assertIn(message, error["message"] + error["where"])
                self.assertIn("plan.json", error["where"])


if __name__ == "__main__":
    main()
