#!/usr/bin/env python3
"""The command line itself: help, version, wrong usage, standard streams, what the file needs."""

import os
import subprocess
import unittest

from command_line import BAD_INPUT, OK, ROOT, SAGEJIT, SANITIZED, USAGE, TestCase, main, sagejit

VERBS = ["emit", "plan", "compile", "build", "bundle", "make-input", "run", "verify", "bench", "tune", "doctor"]
VERBS += ["calibrate", "inspect", "completion", "man"]


class Usage(TestCase):
    def test_version(self):
        result = self.succeed("--version")
        self.assertRegex(result.stdout, r"^sagejit \d+\.\d+\.\d+\n$")
        self.assertEqual(result.stderr, "")

    def test_help_names_every_verb(self):
        text = self.succeed("--help").stdout
        for verb in VERBS:
            self.assertIn(verb, text)

    def test_help_of_every_verb_has_an_example(self):
        for verb in VERBS:
            with self.subTest(verb=verb):
                text = self.succeed(verb, "--help").stdout
                self.assertIn(f"Usage: sagejit {verb}", text)
                self.assertIn("Example", text)
                self.assertIn(f"  sagejit {verb}", text)
                self.assertIn("--json", text)

    def test_no_verb_prints_help(self):
        result = sagejit()
        self.assertEqual(result.returncode, USAGE)
        self.assertEqual(result.stdout, "")
        self.assertIn("Usage: sagejit", result.stderr)
        result = sagejit("--json")
        self.assertEqual(result.returncode, USAGE)
        self.assertEqual(self.parse(result.stdout)["error"]["code"], "usage")

    def test_wrong_usage(self):
        config = ROOT / "configs" / "thread-d64.json"
        wrong = {
            "unknown verb": ["attend"],
            "two verbs": ["doctor", "plan"],
            "missing option": ["plan"],
            "unknown option": ["plan", "--config", config, "--colour"],
            "option twice": ["plan", "--config", config, "--config", config],
            "stray word": ["plan", "--config", config, "--target", "sm_80", "word"],
            "not a number": ["run", "--config", config, "--input", "i", "--output", "o"]
            + ["--logit-scale", "large"],
            "not finite": ["run", "--config", config, "--input", "i", "--output", "o"]
            + ["--logit-scale", "inf"],
            "no target": ["compile", "--config", config],
        }
        for name, arguments in wrong.items():
            with self.subTest(name):
                self.fail_with(USAGE, *arguments, error="usage")

    def test_missing_value(self):
        self.assertEqual(sagejit("plan", "--config").returncode, USAGE)

    def test_markdown_excludes_json(self):
        result = sagejit("verify", "--config", "c", "--input", "i", "--markdown", "--json")
        self.assertEqual(result.returncode, USAGE)


class Streams(TestCase):
    EMIT = ["emit", "--config", ROOT / "configs" / "thread-d64.json"]

    def test_broken_pipe(self):
        reading, writing = os.pipe()
        os.close(reading)
        result = sagejit(*self.EMIT, stdout=writing)
        os.close(writing)
        self.assertEqual(result.returncode, BAD_INPUT)
        self.assertIn("standard output: cannot write: Broken pipe", result.stderr)

    def test_full_device(self):
        for arguments in (self.EMIT, [*self.EMIT, "--json"], ["--help"], ["--version"]):
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                result = sagejit(*arguments, stdout=full)
                self.assertEqual(result.returncode, BAD_INPUT)
                self.assertIn("No space left on device", result.stderr)

    def test_closed_streams_do_not_reach_files(self):
        output = self.path("kernel.cu")
        command = " ".join(map(str, [SAGEJIT, *self.EMIT]))
        # Descriptors 0, 1 and 2 are free: without care, files opened later would get them.
        run = subprocess.run(
            f"exec {command} -o {output} <&- >&- 2>&-", shell=True, timeout=60, check=False
        )
        self.assertEqual(run.returncode, OK)
        self.assertEqual(output.read_text(), self.succeed(*self.EMIT).stdout)
        run = subprocess.run(f"exec {command} >&-", shell=True, timeout=60, stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, BAD_INPUT)
        self.assertIn(b"standard output", run.stderr)

    def test_text_that_is_not_utf8(self):
        name = os.fsdecode(b"\xff\xfe.json")
        error = self.fail_with(BAD_INPUT, "plan", "--config", self.path(name), error="io")
        self.assertIn("\ufffd", error["where"])


class Executable(TestCase):
    @unittest.skipIf(SANITIZED, "sanitizers need their own libraries")
    def test_needs_only_libc(self):
        output = subprocess.run(["ldd", SAGEJIT], capture_output=True, text=True, check=True).stdout
        needed = {line.split()[0].split("/")[-1] for line in output.splitlines() if line.strip()}
        allowed = {"linux-vdso.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
        allowed |= {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"}
        self.assertIn("libc.so.6", needed)
        self.assertLessEqual(needed, allowed)


if __name__ == "__main__":
    main()
