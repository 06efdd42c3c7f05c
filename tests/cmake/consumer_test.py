#!/usr/bin/env python3
"""A project that calls sagejit_add_kernels: built, changed, built again, installed and run.

Kernels are compiled by the stub NVRTC and loaded by the stub driver, so what is tested is how they
get into the program and out of it.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

CMAKE = os.environ["SAGEJIT_CMAKE"]
BUILD_TREE = os.environ["SAGEJIT_BUILD_TREE"]
CONSUMER = pathlib.Path(__file__).parent / "consumer"


class Consumer(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="sagejit-cmake-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        # A name that has to be quoted wherever it goes.
        self.source = self.directory / "the source"
        self.build = self.directory / "the build"
        shutil.copytree(CONSUMER, self.source)
        self.compile_log = self.directory / "compilations"
        self.environment = {
            **os.environ,
            "SAGEJIT_NVRTC": os.environ["SAGEJIT_STUB_NVRTC"],
            "SAGEJIT_CACHE_DIR": str(self.directory / "cache"),
            "SAGEJIT_STUB_NVRTC_LOG": str(self.compile_log),
        }

    def run_command(self, *arguments, expect=0, env=None):
        result = subprocess.run(
            list(map(str, arguments)),
            env=env or self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(result.returncode, expect, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def configure(self, expect=0, *options):
        return self.run_command(
            CMAKE, "-G", "Ninja", "-S", self.source, "-B", self.build, f"-DSAGEJIT={BUILD_TREE}",
            "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror", *options, expect=expect,
        )

    def build_all(self):
        return self.run_command(CMAKE, "--build", self.build)

    def run_consumer(self, program, *arguments, devices="9.0"):
        environment = {
            **os.environ,
            "SAGEJIT_NVRTC": "/nonexistent/libnvrtc.so",
            "SAGEJIT_CACHE_DIR": str(self.directory / "unused-cache"),
            "SAGEJIT_LIBCUDA": os.environ["SAGEJIT_STUB_CUDA"],
            "SAGEJIT_STUB_DEVICES": devices,
        }
        return self.run_command(program, *arguments, env=environment)

    def compilations(self):
        return len(self.compile_log.read_text().splitlines()) if self.compile_log.exists() else 0

    def test_life_of_a_project(self):
        self.configure()
        self.build_all()
        text = self.run_consumer(self.build / "consumer")
        self.assertEqual(
            sorted(text.splitlines()),
            [
                "beside " + str(self.build / "beside.sjb") + ": other sm_80",
                "linked consumer.sjb: small sm_80",
                "linked consumer.sjb: small sm_90",
                "linked part.sjb: other sm_90",
                "prepared for sm_90 from consumer.sjb",
                "prepared for sm_90 from part.sjb",
            ],
        )
        self.assertFalse((self.directory / "unused-cache").exists())

        # On another device the kernels are others, and the one beside the program serves too.
        text = self.run_consumer(self.build / "consumer", devices="8.6")
        self.assertIn("prepared for sm_80 from consumer.sjb", text)
        self.assertIn(f"prepared for sm_80 from {self.build / 'beside.sjb'}", text)

        # Nothing changed: nothing is compiled.
        before = self.compilations()
        self.build_all()
        self.assertEqual(self.compilations(), before)

        # A config changed: its bundles are made again, and the program has them.
        (self.source / "small.json").write_text('{"name": "renamed", "head_dim": 96}')
        self.build_all()
        self.assertGreater(self.compilations(), before)
        text = self.run_consumer(self.build / "consumer", "list")
        self.assertIn("linked consumer.sjb: renamed sm_90", text)
        self.assertNotIn("small", text)

        # The one beside the program is replaced without linking the program again.
        (self.source / "other.json").write_text('{"name": "last", "head_dim": 64, "lse": true}')
        self.build_all()
        text = self.run_consumer(self.build / "consumer", "list")
        self.assertIn("beside.sjb: last sm_80", text)
        self.assertIn("linked part.sjb: last sm_90", text)

        # Installed elsewhere, with the build gone.
        prefix = self.directory / "prefix"
        self.run_command(CMAKE, "--install", self.build, "--prefix", prefix)
        shutil.rmtree(self.build)
        text = self.run_consumer(prefix / "bin" / "consumer", "list")
        self.assertIn(str(prefix / "bin" / "beside.sjb"), text)


    def test_a_bad_config_fails_the_build(self):
        (self.source / "small.json").write_text('{"name": "small", "head_dim": 7}')
        self.configure()
        text = self.run_command(CMAKE, "--build", self.build, expect=1)
        self.assertIn("head_dim", text)
        self.assertFalse(list(self.build.rglob("consumer.sjb")))

    def test_slow_code_fails_the_build_unless_it_is_allowed(self):
        listing = self.source / "CMakeLists.txt"
        rule = "sagejit_add_kernels(consumer CONFIGS other.json TARGETS sm_86 OUTPUT {})\n"
        listing.write_text(listing.read_text() + rule.format("no.sjb") + rule.format("yes.sjb ALLOW_SLOW_CODE"))
        self.configure()
        environment = {**self.environment, "SAGEJIT_STUB_NVRTC_SPILL": "constexpr int tile_k"}
        command = (CMAKE, "--build", self.build, "--target")
        text = self.run_command(*command, "consumer_no_sjb_beside", expect=1, env=environment)
        self.assertIn("spilled registers", text)
        self.assertFalse((self.build / "no.sjb").exists())
        self.run_command(*command, "consumer_yes_sjb_beside", env=environment)
        self.assertTrue((self.build / "yes.sjb").exists())

    def test_wrong_arguments(self):
        listing = self.source / "CMakeLists.txt"
        good = listing.read_text()
        wrong = {
            "sagejit_add_kernels(consumer)": "needs CONFIGS",
            "sagejit_add_kernels(none CONFIGS small.json)": "no such target",
            "sagejit_add_kernels(consumer CONFIGS none.json OUTPUT a.sjb)": "there is no",
            "sagejit_add_kernels(consumer CONFIGS small.json OUTPUT a/b.sjb)": "not a path",
            "sagejit_add_kernels(consumer CONFIGS small.json EMBED)": "name another OUTPUT",
            "sagejit_add_kernels(consumer CONFIGS small.json OUTPUT a.sjb COLOUR red)": "COLOUR",
            "sagejit_add_kernels(consumer CONFIGS small.json EMBED INSTALL_DESTINATION x)": "EMBED",
        }
        self.configure()
        for line, expected in wrong.items():
            with self.subTest(line):
                listing.write_text(good + line + "\n")
                # CMake wraps its messages.
                text = " ".join(self.configure(1).split())
                self.assertIn(expected, text)


if __name__ == "__main__":
    unittest.main()
