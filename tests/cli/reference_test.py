#!/usr/bin/env python3
"""The examples of docs/reference/command-line.md work, and it names every option there is."""

import os
import pathlib
import re
import subprocess

from command_line import NO_DEVICE, OK, ROOT, SAGEJIT, TestCase, main

REFERENCE = (ROOT / "docs" / "reference" / "command-line.md").read_text()


class Reference(TestCase):
    def test_examples(self):
        for name in ("configs", "tests"):
            self.path(name).symlink_to(ROOT / name)
        path = f"{pathlib.Path(SAGEJIT).parent}:{os.environ['PATH']}"
        commands = []
        for block in re.findall(r"^```sh\n(.*?)^```", REFERENCE, re.MULTILINE | re.DOTALL):
            commands += block.replace("\\\n", " ").splitlines()
        self.assertGreater(len(commands), 10)
        for command in commands:
            with self.subTest(command):
                result = subprocess.run(
                    command,
                    shell=True,
                    cwd=self.directory,
                    env={**os.environ, "PATH": path},
                    capture_output=True,
                    text=True,
                )
                needs_nvrtc = command.startswith("sagejit compile")
                allowed = (OK, NO_DEVICE) if needs_nvrtc else (OK,)
                self.assertIn(result.returncode, allowed, result.stderr)

    def test_every_option_is_described(self):
        verbs = re.findall(r"^## ([a-z-]+)$", REFERENCE, re.MULTILINE)
        offered = re.findall(r"^  ([a-z][a-z-]*) {3,}", self.succeed("--help").stdout, re.MULTILINE)
        self.assertEqual(set(verbs), set(offered))
        for verb in verbs:
            text = self.succeed(verb, "--help").stdout
            for option in re.findall(r"(--[a-z0-9-]+)", text.split("Options:")[1].split("\n\n")[0]):
                if option == "--help":
                    continue
                with self.subTest(verb=verb, option=option):
                    self.assertIn(f"`{option}", REFERENCE)


if __name__ == "__main__":
    main()
