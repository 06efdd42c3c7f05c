#!/usr/bin/env python3
"""sagejit compile, with NVRTC where there is one."""

import os

from command_line import BAD_INPUT, NO_DEVICE, TestCase, main, sagejit


class Compile(TestCase):
    def setUp(self):
        super().setUp()
        self.cache = {"SAGEJIT_CACHE_DIR": str(self.path("cache"))}
        self.base = ("compile", "--config", self.config(), "--target", "sm_80")

    def need_nvrtc(self):
        result = sagejit("doctor", "--json", env=self.cache)
        if not self.parse(result.stdout)["nvrtc"]["ok"]:
            self.skipTest("no NVRTC")

    def test_json_cache_and_cubin(self):
        self.need_nvrtc()
        cubin = self.path("kernel.cubin")
        value = self.succeed_json(*self.base, "-o", cubin, env=self.cache)
        self.assertEqual(value["target"], "sm_80")
        self.assertEqual(value["config"], "thread-d64")
        self.assertIs(value["from_cache"], False)
        self.assertGreater(value["compile_ms"], 0)
        self.assertEqual(value["warnings"], "")
        self.assertRegex(value["hash"], "^[0-9a-f]{32}$")
        self.assertEqual(cubin.read_bytes()[:4], b"\x7fELF")
        self.assertEqual(cubin.stat().st_size, value["cubin_bytes"])
        entries = {entry["entry"]: entry for entry in value["entries"]}
        self.assertIn("attention", entries)
        self.assertIn("quantize", entries)
        attention = entries["attention"]
        self.assertGreater(attention["registers"], 0)
        self.assertEqual(attention["spill_store_bytes"], 0)
        self.assertEqual(attention["spill_load_bytes"], 0)
        self.assertGreater(attention["dynamic_shared_bytes"], 0)

        again = self.succeed_json(*self.base, env=self.cache)
        self.assertIs(again["from_cache"], True)
        self.assertEqual(again["entries"], value["entries"])
        self.assertNotIn("file", again)
        text = self.succeed(*self.base, env=self.cache).stdout
        self.assertIn("from the cache", text)
        self.assertIn("registers", text)

    def test_no_cache(self):
        self.need_nvrtc()
        # A cache that nothing may be written to is not touched.
        value = self.succeed_json(*self.base, "--no-cache", env=self.cache)
        self.assertIs(value["from_cache"], False)
        cached = [name for name in self.files() if name.endswith(".cubin-entry")]
        self.assertEqual(cached, [])

    def test_without_nvrtc(self):
        environment = {**self.cache, "SAGEJIT_NVRTC": "/nonexistent/libnvrtc.so"}
        error = self.fail_with(NO_DEVICE, *self.base, env=environment, error="no_nvrtc")
        self.assertIn("/nonexistent", error["message"] + error["where"])
        self.assertTrue(error["fix"])

    def test_refused(self):
        self.fail_with(BAD_INPUT, "compile", "--config", self.config(), "--target", "sm_70")
        self.fail_with(BAD_INPUT, *self.base, "-o", self.path("no/x"), error="io", env=self.cache)
        config = self.write_config(target="sm_86")
        self.fail_with(BAD_INPUT, "compile", "--config", config, "-o", config)
        self.assertTrue(os.path.exists(config))


if __name__ == "__main__":
    main()
