#!/usr/bin/env python3
"""The examples of every --help, run as they stand there by a shell, in order."""

import os
import pathlib
import re
import subprocess
import unittest

from command_line import NO_DEVICE, OK, ROOT, SAGEJIT, TestCase, main

# Examples that take long on the host device or need a GPU, by what they contain.
EXPENSIVE = ["tests/data/smollm2/layer*"]


def examples(help_text):
    """The commands under "Example:" or "Examples:", continued lines joined."""
    match = re.search(r"^Examples?:\n((?:  .*\n?)+)", help_text, re.MULTILINE)
    text = match.group(1) if match else ""
    return [line.strip() for line in re.sub(r"\\\n\s*", "", text).splitlines()]


class Examples(TestCase):
    def setUp(self):
        super().setUp()
        # As in a clone's root, but what they write goes nowhere else.
        for name in ("configs", "tests", "docs"):
            self.path(name).symlink_to(ROOT / name)
        binaries = pathlib.Path(SAGEJIT).resolve().parent
        self.environment = {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"}

    def run_example(self, command):
        return subprocess.run(
            ["bash", "-c", f"set -eo pipefail; {command}"],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def test_every_example(self):
        help_text = self.succeed("--help").stdout
        verbs = re.findall(r"^  ([a-z][a-z-]*) {3,}", help_text, re.MULTILINE)
        self.assertIn("emit", verbs)
        for verb in ["", *verbs]:
            text = self.succeed(*filter(None, [verb]), "--help").stdout
            commands = examples(text)
            self.assertTrue(commands, f"sagejit {verb} --help has no example")
            ran = 0
            for command in commands:
                with self.subTest(command):
                    self.assertRegex(command, r"^sagejit ")
                    if any(part in command for part in EXPENSIVE):
                        continue
                    result = self.run_example(command)
                    if result.returncode == NO_DEVICE:
                        continue
                    self.assertEqual(result.returncode, OK, result.stdout + result.stderr)
                    ran += 1
            if verb not in ("compile", "build", "tune", "bench"):
                self.assertGreater(ran, 0, f"no example of sagejit {verb} could be run")


if __name__ == "__main__":
    main()
