#!/usr/bin/env python3
"""sagejit doctor, on this machine and on ones that lack something."""

from command_line import NO_DEVICE, OK, USAGE, TestCase, main, sagejit

NOTHING = {
    "SAGEJIT_LIBCUDA": "/nonexistent/libcuda.so.1",
    "SAGEJIT_NVRTC": "/nonexistent/libnvrtc.so",
    "SAGEJIT_HOST_CXX": "/nonexistent/c++",
}


class Doctor(TestCase):
    def doctor(self, expected, **environment):
        environment.setdefault("SAGEJIT_CACHE_DIR", str(self.path("cache")))
        result = sagejit("doctor", "--json", env=environment)
        self.assertEqual(result.returncode, expected, result.stderr)
        return self.parse(result.stdout)

    def test_here(self):
        value = self.doctor(OK)
        self.assertEqual(
            list(value)[1:],
            ["version", "can_run", "can_run_on_gpu", "can_run_on_host"]
            + ["driver", "gpus", "nvrtc", "cache", "host_compiler"],
        )
        self.assertIs(value["can_run"], True)
        for part in [*(value[name] for name in ("driver", "nvrtc", "cache", "host_compiler")),
                     *value["gpus"]]:
            self.assertEqual(part["ok"], part["problem"] == "")
            self.assertEqual(part["ok"], part["fix"] == "")
        self.assertIs(value["cache"]["ok"], True)
        self.assertEqual(value["cache"]["directory"], str(self.path("cache")))
        if value["nvrtc"]["ok"]:
            self.assertRegex(value["nvrtc"]["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(self.succeed("doctor").stderr, "")

    def test_nothing_there(self):
        value = self.doctor(NO_DEVICE, **NOTHING)
        self.assertIs(value["can_run"], False)
        self.assertEqual(value["gpus"], [])
        for name in ("driver", "nvrtc", "host_compiler"):
            with self.subTest(name):
                self.assertIs(value[name]["ok"], False)
                self.assertIn("/nonexistent", value[name]["problem"])
                self.assertTrue(value[name]["fix"])
        text = sagejit("doctor", env=NOTHING)
        self.assertEqual(text.returncode, NO_DEVICE)
        self.assertIn("fix:", text.stdout)

    def test_host_compiler_is_enough(self):
        here = self.doctor(OK)
        if not here["can_run_on_host"]:
            self.skipTest("no host compiler")
        lacking = {name: NOTHING[name] for name in ("SAGEJIT_LIBCUDA", "SAGEJIT_NVRTC")}
        self.assertIs(self.doctor(OK, **lacking)["can_run_on_gpu"], False)

    def test_cache_that_cannot_be_used(self):
        self.path("cache").write_text("a file")
        value = self.doctor(OK)
        self.assertIs(value["cache"]["ok"], False)
        self.assertTrue(value["cache"]["fix"])

    def test_usage(self):
        self.fail_with(USAGE, "doctor", "please")


if __name__ == "__main__":
    main()
