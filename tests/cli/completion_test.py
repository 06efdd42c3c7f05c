#!/usr/bin/env python3
"""Completion scripts, loaded by the shells they are for; manual pages, read by mandoc."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from command_line import BAD_INPUT, SAGEJIT, USAGE, TestCase, main, sagejit

SHELLS = ["bash", "zsh", "fish"]
BINARIES = pathlib.Path(SAGEJIT).resolve().parent
WAIT = 20  # seconds for a shell to answer; it takes milliseconds


class Terminal:
    """An interactive shell behind a pseudo terminal, to press Tab in."""

    def __init__(self, command, directory):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(directory)
            path = f"{BINARIES}:{os.environ['PATH']}"
            variables = {"PATH": path, "TERM": "dumb", "PS1": "$ ", "HOME": str(directory)}
            os.execvpe(command[0], command, {**os.environ, **variables})
        self.text = ""

    def send(self, text):
        os.write(self.terminal, text.encode())

    def wait_for(self, pattern):
        """Reads until the pattern is seen in what came since the last one; returns the match."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            match = re.search(pattern, self.text, re.DOTALL)
            if match:
                self.text = self.text[match.end() :]
                return match
            if select.select([self.terminal], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.terminal, 65536).decode(errors="replace")
                except OSError:
                    break
        raise AssertionError(f"no {pattern!r} in {self.text!r}")

    def close(self):
        os.close(self.terminal)
        os.waitpid(self.process, 0)


class Completion(TestCase):
    """What each shell offers, in a directory with a config, an input and something else."""

    def setUp(self):
        super().setUp()
        for name in ("small.json", "large.json", "layer.safetensors", "notes.txt"):
            self.path(name).write_text("")
        self.path("sources").mkdir()

    def script(self, shell):
        path = self.path(f".{shell}-completion")
        path.write_text(self.succeed("completion", shell).stdout)
        return path

    def offered(self, shell, line):
        """The set of words that may follow the line's last one."""
        return {"bash": self.offered_by_bash, "fish": self.offered_by_fish}[shell](line)

    def offered_by_bash(self, line):
        """Calls the function that the script registers, with the variables bash sets for it."""
        program = f"""
            source '{self.script("bash")}'
            [[ $(complete -p sagejit) == 'complete -F _sagejit sagejit' ]] || exit 9
            COMP_WORDS=({self.broken(line)})
            COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            _sagejit
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        command = ["bash", "--norc", "--noprofile", "-c", program]
        run = subprocess.run(command, cwd=self.directory, capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return set(run.stdout.split())

    @staticmethod
    def broken(line):
        """The words of a line as bash breaks them, quoted; '=' and ':' are words of their own."""
        words = []
        for word in line.split(" "):
            words += [piece for piece in re.split(r"([=:])", word) if piece] or [""]
            if word.endswith(("=", ":")):
                words += [""] if word.endswith(":") else []
        return " ".join(f"'{word}'" for word in words)

    def offered_by_fish(self, line):
        program = f"source '{self.script('fish')}'; complete -C '{line}'"
        run = subprocess.run(
            ["fish", "--no-config", "-c", program],
            cwd=self.directory,
            capture_output=True,
            text=True,
            env={**os.environ, "HOME": str(self.directory)},
        )
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return {offer.split("\t")[0] for offer in run.stdout.splitlines()}

    def check_offers(self, shell):
        offered = lambda line: self.offered(shell, line)
        verbs = set(re.findall(r"^  ([a-z][a-z-]*) {3,}", self.succeed("--help").stdout, re.MULTILINE))
        self.assertIn("verify", verbs)
        self.assertLessEqual(verbs, offered("sagejit "))
        self.assertEqual(offered("sagejit ver"), {"verify"})
        self.assertIn("--logit-scale", offered("sagejit run --"))
        self.assertNotIn("--logit-scale", offered("sagejit plan --"))
        self.assertEqual(offered("sagejit plan --target sm_8"), {"sm_80", "sm_86", "sm_87", "sm_89"})
        self.assertEqual(offered("sagejit plan -t sm_10"), {"sm_100"})
        self.assertEqual(offered("sagejit run --device h"), {"host"})
        self.assertEqual(offered("sagejit completion "), set(SHELLS))
        self.assertIn("small.json", offered("sagejit plan --config s"))
        self.assertIn("layer.safetensors", offered("sagejit run --config small.json --input l"))
        # The second value of an option that takes several.
        self.assertIn("large.json", offered("sagejit verify --config small.json l"))
        # A flag has no value, an output may be any file.
        self.assertNotIn("notes.txt", offered("sagejit plan --json "))
        self.assertIn("notes.txt", offered("sagejit run --output n"))

    def test_bash(self):
        self.check_offers("bash")
        # Only bash leaves out files that cannot be meant.
        self.assertEqual(self.offered("bash", "sagejit plan --config "), {"small.json", "large.json", "sources"})
        self.assertEqual(self.offered("bash", "sagejit plan --target=sm_12"), {"sm_120"})
        self.assertEqual(self.offered("bash", "sagejit man --output "), {"sources"})
        # readline replaces what follows the colon.
        self.assertEqual(self.offered("bash", "sagejit run --device cuda:"), {"0"})

    def press_tab(self, command, load):
        """Loads the script in an interactive shell, which then completes a line and runs it."""
        terminal = Terminal(command, self.directory)
        self.addCleanup(terminal.close)
        terminal.send(f"{load}; echo loa''ded\n")
        terminal.wait_for("loaded")
        terminal.send("sagejit() { echo \"got: $*\"; }; echo de''fined\n")
        terminal.wait_for("defined")
        terminal.send("sagejit ver\t--conf\tsm\t--dev\tcu\t--targ\tsm_12\tend\n")
        # zsh joins an option and its value with "=".
        wanted = ["--config small.json", "--device cuda:0", "--target sm_120", "end"]
        terminal.wait_for("got: verify " + " ".join(wanted).replace(" ", "[ =]"))

    def test_bash_in_a_terminal(self):
        self.press_tab(["bash", "--norc", "--noprofile", "-i"], "source <(sagejit completion bash)")

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        self.check_offers("fish")

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_in_a_terminal(self):
        shell = ["zsh", "-f", "-i"]
        start = "autoload -U compinit; compinit -u -D"
        self.press_tab(shell, f"{start}; source <(sagejit completion zsh)")
        shutil.copy(self.script("zsh"), self.path("_sagejit"))
        self.press_tab(shell, f"fpath=($PWD $fpath); {start}")

    def test_json(self):
        for shell in SHELLS:
            value = self.succeed_json("completion", shell)
            self.assertEqual(value["script"], self.succeed("completion", shell).stdout)

    def test_refused(self):
        self.fail_with(USAGE, "completion", "tcsh", contains="bash, zsh, fish")
        self.fail_with(USAGE, "completion")


class Manual(TestCase):
    def test_pages(self):
        directory = self.path("man1")
        value = self.succeed_json("man", "--output", directory)
        names = {page["name"] for page in value["pages"]}
        self.assertEqual({path.name for path in directory.iterdir()}, names)
        self.assertIn("sagejit-make-input.1", names)
        self.assertEqual((directory / "sagejit.1").read_text(), self.succeed("man").stdout)
        self.assertEqual(
            (directory / "sagejit-run.1").read_text(), self.succeed("man", "run").stdout
        )
        # Every option of the help is in the page.
        for page in sorted(directory.glob("sagejit-*.1")):
            verb = page.stem.removeprefix("sagejit-")
            text = page.read_text().replace("\\", "")
            for option in re.findall(r"--[a-z][a-z0-9-]+", self.succeed(verb, "--help").stdout):
                self.assertIn(option, text, verb)

    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not installed")
    def test_mandoc_reads_them(self):
        directory = self.path("man1")
        self.succeed("man", "--output", directory)
        pages = sorted(directory.iterdir())
        # A page without a date is the same whenever it is made.
        lint = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True
        )
        complaints = [line for line in lint.stdout.splitlines() if "missing date" not in line]
        self.assertEqual(complaints, [])
        shown = subprocess.run(
            ["mandoc", "-T", "ascii", directory / "sagejit.1"], capture_output=True, text=True
        ).stdout
        shown = re.sub(r".\x08", "", shown)
        self.assertIn("EXIT STATUS\n       0 ok, 2 usage", shown)
        self.assertIn("SAGEJIT_CACHE_DIR", shown)
        self.assertIn("sagejit verify --config configs/thread-d64-causal.json \\\n", shown)

    def test_refused(self):
        self.fail_with(USAGE, "man", "attend", contains="no verb attend")
        self.path("file").write_text("")
        self.fail_with(BAD_INPUT, "man", "--output", self.path("file"), error="io")
        self.assertEqual(sagejit("man", "a", "b").returncode, USAGE)


if __name__ == "__main__":
    main()
