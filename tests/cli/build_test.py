#!/usr/bin/env python3
"""sagejit build and sagejit bundle: with the stub NVRTC, and once with the real one."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time

from command_line import (
    BAD_INPUT,
    COMPILE,
    NO_DEVICE,
    ROOT,
    SAGEJIT,
    USAGE,
    Problem,
    TestCase,
    main,
    sagejit,
)

STUB_NVRTC = os.environ["SAGEJIT_STUB_NVRTC"]


class Build(TestCase):
    def setUp(self):
        super().setUp()
        self.log = self.path("compilations")
        self.env = {
            "SAGEJIT_NVRTC": STUB_NVRTC,
            "SAGEJIT_CACHE_DIR": str(self.path("cache")),
            "SAGEJIT_STUB_NVRTC_LOG": str(self.log),
        }
        self.output = self.path("kernels.sjb")
        self.one = ("build", "--config", self.config(), "--target", "sm_80", "-o", self.output)

    def fail_with(self, code, *arguments, env=None, **options):
        """Failing may fill the cache; nothing else may appear."""
        before = self.own_files()
        result = sagejit(*arguments, env=env or self.env)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertIn("sagejit: error: ", result.stderr)
        self.assertEqual(self.own_files(), before)
        return result.stderr

    def own_files(self):
        return {
            name: content
            for name, content in self.files().items()
            if not name.startswith((str(self.path("cache")), str(self.log)))
        }

    def compilations(self):
        return self.log.read_text().split("\n")[:-1] if self.log.exists() else []

    def test_configs_times_targets(self):
        configs = [self.config("thread-d64"), self.config("thread-d64-causal")]
        targets = ["sm_80", "sm_89", "sm_90"]
        value = self.succeed_json(
            "build", "--config", *configs, "--target", *targets, "-o", self.output, "--jobs", 3,
            env=self.env,
        )
        self.assertEqual(value["file"], str(self.output))
        self.assertEqual(value["bytes"], self.output.stat().st_size)
        self.assertEqual(value["nvrtc"], "13.99.1")
        names = [(kernel["config"], kernel["target"]) for kernel in value["kernels"]]
        self.assertEqual(
            names, [(c, t) for c in ("thread-d64", "thread-d64-causal") for t in targets]
        )
        self.assertEqual(len(self.compilations()), 6)
        # In as many processes as were asked for.
        self.assertEqual(len({line.split()[0] for line in self.compilations()}), 3)

        listed = self.succeed_json("bundle", "ls", self.output)
        self.assertIs(listed["usable"], True)
        self.assertEqual(listed["generator"], value["generator"])
        self.assertEqual([(k["config"], k["target"]) for k in listed["kernels"]], names)
        for built, kernel in zip(value["kernels"], listed["kernels"]):
            self.assertEqual(built["hash"], kernel["hash"])
            self.assertEqual(built["entries"], kernel["entries"])
            self.assertEqual(kernel["plan"]["target"], kernel["target"])
            self.assertIn(f"--gpu-architecture={kernel['target']}", kernel["options"])
        text = self.succeed("bundle", "ls", self.output).stdout
        self.assertIn("thread-d64-causal", text)
        self.assertEqual(self.succeed_json("bundle", "verify", self.output)["kernels"], 6)
        self.assertIn("all good", self.succeed("bundle", "verify", self.output).stdout)

    def test_the_same_input_gives_the_same_bytes(self):
        arguments = ("build", "--config", self.config(), "--target", "sm_80", "sm_90")
        self.succeed(*arguments, "-o", self.output, "--jobs", 1, env=self.env)
        again = self.path("again.sjb")
        self.succeed(*arguments, "-o", again, "--jobs", 2, "--no-cache", env=self.env)
        self.assertEqual(self.output.read_bytes(), again.read_bytes())
        self.assertNotIn(str(self.directory).encode(), self.output.read_bytes())

    def test_cache(self):
        self.succeed(*self.one, env=self.env)
        value = self.succeed_json(*self.one, env=self.env)
        self.assertIs(value["kernels"][0]["from_cache"], True)
        self.assertEqual(len(self.compilations()), 1)
        value = self.succeed_json(*self.one, "--no-cache", env=self.env)
        self.assertIs(value["kernels"][0]["from_cache"], False)
        self.assertEqual(len(self.compilations()), 2)

    def test_the_config_names_the_target(self):
        config = self.write_config(target="sm_86")
        value = self.succeed_json("build", "--config", config, "-o", self.output, env=self.env)
        self.assertEqual([kernel["target"] for kernel in value["kernels"]], ["sm_86"])
        # --target replaces it.
        value = self.succeed_json(
            "build", "--config", config, "--target", "sm_89", "-o", self.output, env=self.env
        )
        self.assertEqual([kernel["target"] for kernel in value["kernels"]], ["sm_89"])

    def test_tuned(self):
        """Records decide what is built besides the default, and the sizes decide what is run."""
        config = self.write_config("few", name="few", tile={"tile_q": 64})
        shapes = ("1,2,1,256,256,32", "1,2,1,4096,4096,32")
        env = {**self.env, "SAGEJIT_LIBCUDA": os.environ["SAGEJIT_STUB_CUDA"]}
        # The host device's estimates, made into what tuning on the stub's GPU would have written.
        estimates = [
            self.succeed_json("tune", "--config", config, "--shape", shape, "--device", "host",
                              "--target", "sm_90", env=env)["results"][0]
            for shape in shapes
        ]
        (gpu,) = self.parse(sagejit("doctor", "--json", env=env).stdout)["gpus"]
        wanted = [estimates[0]["candidates"][index]["choices"] for index in (0, 3)]
        time_ms = {"median_ms": 1.0, "q1_ms": 0.9, "q3_ms": 1.1, "samples": 9}
        lines = []
        for estimate, choices in zip(estimates, wanted):
            lines.append({
                **estimate["record"], "estimate": False, "plan": choices, "whole_call": time_ms,
                "attention": time_ms,
                "device": {"name": gpu["name"], "multiprocessors": gpu["multiprocessors"],
                           "compute_capability": "9.0", "driver": ""},
            })
        # One of another target, and one that is older than the first, are passed over.
        lines.append({**lines[0], "target": "sm_80"})
        lines.insert(0, {**lines[0], "plan": estimates[0]["candidates"][5]["choices"]})
        records = self.path("cache") / "tune" / "records.jsonl"
        records.write_text("".join(json.dumps(line) + "\n" for line in lines))

        base = ("build", "--config", config, "--target", "sm_90", "-o", self.output)
        self.assertEqual(len(self.succeed_json(*base, env=self.env)["kernels"]), 1)
        built = self.succeed_json(*base, "--tuned", env=self.env)["kernels"]
        self.assertEqual([(k["config"], len(k["tuned"])) for k in built], [("few", 1), ("few", 1)])
        self.assertEqual([k["tuned"][0]["len_k"] for k in built], [256, 4096])
        self.assertEqual(built[1]["tuned"][0]["device"], gpu["name"])
        listed = self.succeed_json("bundle", "ls", self.output)["kernels"]
        self.assertEqual([k["tuned"] for k in listed], [k["tuned"] for k in built])
        self.assertIn(f"is tuned for {gpu['name']}, rows 2, len 4096/4096",
                      self.succeed("bundle", "ls", self.output).stdout)
        self.assertEqual(self.succeed_json("bundle", "verify", self.output)["kernels"], 2)

        env |= {"SAGEJIT_NVRTC": "/nonexistent", "SAGEJIT_STUB_DEVICES": "9.0,9.0"}
        plans = [estimates[0]["candidates"][index]["plan"] for index in (0, 3)]
        for device, len_k, plan, match in (
            (0, 256, plans[0], "exact"), (0, 4096, plans[1], "exact"), (0, 3000, plans[1], "exact"),
            (0, 512, plans[0], "other_shape"), (1, 4096, plans[1], "other_device"),
        ):
            with self.subTest(device=device, len_k=len_k):
                problem = self.path(f"in{len_k}")
                self.succeed("make-input", "--distribution", "normal", "--shape",
                             f"1,2,1,{len_k},{len_k},32", "-o", problem)
                value = self.succeed_json(
                    "run", "--config", config, "--input", problem, "--output", self.path("out"),
                    "--bundle", self.output, "--policy", "bundle_only", "--device", f"cuda:{device}",
                    env=env)
                self.assertEqual((value["plan"], value["tuning"]), (plan, match))

    def test_code_that_spills(self):
        """An error, whoever chose the tiles, unless it is asked for; then the bundle says so."""
        standard = self.succeed_json("plan", "--config", self.config(), "--target", "sm_80")
        tile_k = standard["plan"]["attention"]["tile_k"]
        env = {**self.env, "SAGEJIT_STUB_NVRTC_SPILL": f"constexpr int tile_k = {tile_k};"}
        chosen = self.write_config("chosen", head_dim=64, tile={"tile_k": tile_k})
        base = ("build", "--target", "sm_80", "-o", self.output, "--config", chosen)
        for arguments in (base, self.one):
            message = self.fail_with(BAD_INPUT, *arguments, env=env)
            self.assertIn("spilled registers in attention", message)
            self.assertFalse(self.output.exists())
        (built,) = self.succeed_json(*base, "--allow-slow-code", env=env)["kernels"]
        (kernel,) = self.succeed_json("bundle", "ls", self.output)["kernels"]
        self.assertEqual(max(entry["spill_load_bytes"] for entry in kernel["entries"]), 12)
        self.assertIn("spilled registers in attention", kernel["slow_code"])
        self.assertEqual(built["slow_code"], kernel["slow_code"])
        text = self.succeed("bundle", "ls", self.output).stdout
        self.assertRegex(text, r"chosen for sm_80 \(\w{8}\) is slow: ptxas spilled")
        self.succeed(*base, "--no-cache", env=self.env)  # another compiler, another verdict
        (kernel,) = self.succeed_json("bundle", "ls", self.output)["kernels"]
        self.assertEqual(kernel["slow_code"], "")

    def test_equal_kernels_are_made_once(self):
        first = self.write_config("first", name="first")
        second = self.write_config("second", name="second")
        result = self.succeed(
            "build", "--config", first, second, "--target", "sm_80", "sm_80", "-o", self.output,
            "--json", env=self.env,
        )
        self.assertEqual(len(json.loads(result.stdout)["kernels"]), 1)
        self.assertIn("second for sm_80 is the same kernel as first", result.stderr)

    def test_all_failures_are_reported_and_nothing_is_written(self):
        good = self.write_config("good", name="good")
        big = self.write_config("big", name="big", head_dim=256, tile={"tile_q": 256, "tile_k": 128})
        arguments = ("build", "--config", good, big, "--target", "sm_80", "sm_86", "sm_89")
        arguments += ("-o", self.output)
        self.output.write_bytes(b"what was there before")
        result = sagejit(*arguments, "--json", env=self.env)
        value = self.parse(result.stdout)
        self.assertEqual(result.returncode, BAD_INPUT, result.stderr)
        self.assertEqual(value["error"]["code"], "unsupported_target")
        failed = [(failure["config"], failure["target"]) for failure in value["failures"]]
        self.assertGreaterEqual(len(failed), 2)
        self.assertTrue(all(name == "big" for name, _ in failed))
        for failure in value["failures"]:
            self.assertTrue(failure["message"])
            self.assertIn("big.json", failure["where"])
            self.assertIn(f"failed: big for {failure['target']}", result.stderr)
        self.assertIn(f"{len(failed)} of 6 kernels failed", result.stderr)
        self.assertEqual(self.output.read_bytes(), b"what was there before")
        self.assertEqual(self.fail_with(BAD_INPUT, *arguments).count("failed: big"), len(failed))

    def test_every_compile_failure_is_reported(self):
        env = {**self.env, "SAGEJIT_STUB_NVRTC_FAIL": "6"}
        arguments = ("build", "--config", self.config(), "--target", "sm_80", "sm_90")
        arguments += ("-o", self.output, "--no-cache")
        result = sagejit(*arguments, "--json", env=env)
        value = self.parse(result.stdout)
        self.assertEqual(sorted(f["target"] for f in value["failures"]), ["sm_80", "sm_90"])
        self.assertEqual({f["code"] for f in value["failures"]}, {value["error"]["code"]})
        self.assertFalse(self.output.exists())

    def test_without_nvrtc(self):
        env = {**self.env, "SAGEJIT_NVRTC": "/nonexistent/libnvrtc.so"}
        message = self.fail_with(NO_DEVICE, *self.one, env=env)
        self.assertEqual(message.count("/nonexistent/libnvrtc.so"), 1, message)

    def test_refused(self):
        config = self.config()
        self.fail_with(USAGE, "build", "--config", config, "-o", self.output)  # no target
        self.fail_with(USAGE, *self.one, "--jobs", 100000)
        self.fail_with(USAGE, *self.one, "--depfile", self.output)
        self.fail_with(USAGE, *self.one, "--jobs", "many")
        self.fail_with(USAGE, "build", "--config", config, "--target", "sm_80")  # no output
        self.fail_with(BAD_INPUT, "build", "--config", config, "--target", "sm_70", "-o", self.output)
        self.fail_with(BAD_INPUT, *self.one[:-1], self.path("none") / "x.sjb")
        self.fail_with(BAD_INPUT, *self.one[:-1], self.directory)
        own = self.write_config()
        self.fail_with(BAD_INPUT, "build", "--config", own, "--target", "sm_80", "-o", own)
        self.assertEqual(self.compilations(), [])

    def test_dependency_file(self):
        config = self.write_config("with space")
        rule = self.path("kernels.d")
        self.succeed(
            "build", "--config", config, "--target", "sm_80", "-o", self.output, "--depfile", rule,
            env=self.env,
        )
        text = rule.read_text()
        self.assertTrue(text.startswith(f"{self.output}: \\\n"), text)
        self.assertIn(str(config).replace(" ", "\\ "), text)
        self.assertIn(STUB_NVRTC, text)

    def test_progress_as_lines(self):
        result = self.succeed(
            "build", "--config", self.config(), "--target", "sm_80", "sm_90", "-o", self.output,
            env=self.env,
        )
        lines = re.findall(r"^sagejit: \[(\d)/2\] thread-d64 for sm_\d\d: \d+ ms$", result.stderr, re.M)
        self.assertEqual(lines, ["1", "2"])
        self.assertNotIn("\x1b", result.stderr)

    def test_progress_as_a_bar(self):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [SAGEJIT, "build", "--config", str(self.config()), "--target", "sm_80", "sm_90"]
            + ["-o", str(self.output)],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, **self.env, "TERM": "xterm"},
        )
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
        os.close(ours)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, shown)
        self.assertIn(b"[############............] 1/2 thread-d64 for sm_", shown)
        self.assertIn(b"[########################] 2/2 thread-d64 for sm_", shown)
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)  # the bar is gone

    def test_a_worker_that_is_killed(self):
        """Its kernel fails, the others do not, and nothing hangs."""
        env = {**self.env, "SAGEJIT_STUB_NVRTC_MS": "3000"}
        process = subprocess.Popen(
            [SAGEJIT, "build", "--config", str(self.config()), "--target", "sm_80", "sm_90"]
            + ["-o", str(self.output), "--jobs", "1", "--json", "--no-cache"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **env},
        )
        children = f"/proc/{process.pid}/task/{process.pid}/children"
        worker = ""
        deadline = time.monotonic() + 60
        while not worker and time.monotonic() < deadline:
            worker = pathlib.Path(children).read_text().strip()
            time.sleep(0.01)
        os.kill(int(worker.split()[0]), signal.SIGKILL)
        value = self.parse(process.communicate(timeout=120)[0].decode())
        self.assertEqual(process.returncode, COMPILE)
        self.assertEqual([failure["target"] for failure in value["failures"]], ["sm_80"])
        self.assertIn("signal 9", value["failures"][0]["message"])
        self.assertFalse(self.output.exists())

    def test_with_the_real_nvrtc(self):
        env = {}
        result = sagejit("doctor", "--json", env=env)
        if not self.parse(result.stdout)["nvrtc"]["ok"]:
            self.skipTest("no NVRTC")
        value = self.succeed_json(*self.one, env=env)
        attention = {e["entry"]: e for e in value["kernels"][0]["entries"]}["attention"]
        self.assertGreater(attention["registers"], 32)
        self.assertEqual(attention["spill_store_bytes"], 0)
        self.assertEqual(self.succeed_json("bundle", "verify", self.output)["kernels"], 1)


class RunFromBundle(TestCase):
    """sagejit run with --bundle, on the stub driver, where NVRTC cannot be found."""

    def setUp(self):
        super().setUp()
        self.bundle = self.path("kernels.sjb")
        self.env = {"SAGEJIT_NVRTC": STUB_NVRTC, "SAGEJIT_CACHE_DIR": str(self.path("cache"))}
        self.succeed(
            "build", "--config", self.write_config(), "--target", "sm_90", "-o", self.bundle,
            "--no-cache", env=self.env,
        )
        Problem().write(self.path("in"))
        self.env |= {
            "SAGEJIT_NVRTC": "/nonexistent/libnvrtc.so",
            "SAGEJIT_LIBCUDA": os.environ["SAGEJIT_STUB_CUDA"],
            "SAGEJIT_STUB_DEVICES": "9.0,8.0",
        }
        self.base = ("run", "--config", self.write_config(), "--input", self.path("in"))
        self.base += ("--output", self.path("out"), "--bundle", self.bundle)

    def test_no_nvrtc_is_needed(self):
        for policy in ("jit", "bundle_only"):
            value = self.succeed_json(
                *self.base, "--policy", policy, "--device", "cuda:0", env=self.env
            )
            self.assertEqual(value["bundle"], str(self.bundle))
            self.assertIs(value["from_cache"], False)
            self.assertEqual(value["target"], "sm_90")
            self.assertEqual(value["milliseconds"]["compile"], 0)
        text = self.succeed(*self.base, "--device", "cuda:0", env=self.env).stdout
        self.assertIn(f"from {self.bundle}", text)
        self.assertFalse(self.path("cache").exists())

    def test_not_in_the_bundle(self):
        error = self.fail_with(
            NO_DEVICE, *self.base, "--policy", "bundle_only", "--device", "cuda:1", env=self.env,
            error="not_built",
        )
        self.assertIn("own for sm_90", error["message"])
        self.assertIn("compute capability 8.0", error["message"])
        # Where compiling is allowed, it is tried.
        self.fail_with(NO_DEVICE, *self.base, "--device", "cuda:1", env=self.env, error="no_nvrtc")

    def test_refused(self):
        on_host = ("--device", "host")
        self.fail_with(BAD_INPUT, *self.base, *on_host, error="invalid_argument", contains="GPUs")
        without_bundle = self.base[:-2]
        for policy in ("bundle_only", "cache_only"):
            self.fail_with(
                BAD_INPUT, *without_bundle, *on_host, "--policy", policy, error="invalid_argument"
            )
        self.fail_with(USAGE, *self.base, "--policy", "never", error="usage")
        damaged = bytearray(self.bundle.read_bytes())
        damaged[70] ^= 1
        self.bundle.write_bytes(damaged)
        self.fail_with(
            BAD_INPUT, *self.base, "--device", "cuda:0", env=self.env, error="invalid_input"
        )


class Bundles(TestCase):
    GOOD = ROOT / "tests" / "corpus" / "bundles" / "small.sjb"

    def test_another_generator(self):
        value = self.succeed_json("bundle", "ls", self.GOOD)
        self.assertIs(value["usable"], False)
        self.assertIn("uses none of them", self.succeed("bundle", "ls", self.GOOD).stderr)
        self.succeed("bundle", "verify", self.GOOD)

    def test_damaged(self):
        path = self.path("bad.sjb")
        content = bytearray(self.GOOD.read_bytes())
        content[-1] ^= 1  # of the last cubin: listing does not read it
        path.write_bytes(content)
        self.succeed("bundle", "ls", path)
        self.fail_with(BAD_INPUT, "bundle", "verify", path, error="invalid_input")
        content[100] ^= 1  # of the manifest
        path.write_bytes(content)
        for action in ("ls", "verify"):
            self.fail_with(BAD_INPUT, "bundle", action, path, error="invalid_input")

    def test_not_a_bundle(self):
        for action in ("ls", "verify"):
            self.fail_with(BAD_INPUT, "bundle", action, self.path("none"), error="io")
            self.fail_with(BAD_INPUT, "bundle", action, self.directory, error="io")
            self.fail_with(BAD_INPUT, "bundle", action, "/dev/zero", error="io")
            self.fail_with(BAD_INPUT, "bundle", action, self.config(), error="invalid_input")

    def test_usage(self):
        self.fail_with(USAGE, "bundle", error="usage")
        self.fail_with(USAGE, "bundle", "ls", error="usage")
        self.fail_with(USAGE, "bundle", "remove", self.GOOD, error="usage")


if __name__ == "__main__":
    main()
