#!/usr/bin/env python3
"""Runs the commands of a Markdown page as a reader would, and checks the output it promises.

Every ```sh block is run, in order, by one bash, which starts in a directory that looks like the
repository's root: configs, tests and so on, and build/release with the binary that is tested. A
command that fails fails the test. The lines of a ```text block right after it must appear in its
output, in that order: any number matches any other, any run of spaces any other, "..." anything.

Usage: run_tutorial.py --page docs/tutorial/first-kernel.md --sagejit build/release/sagejit
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
ANY_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
MARK = "\x1e"  # stands before each block's output
SHOWN = ["configs", "docs", "templates", "tests", "tools"]  # of the repository's root


class Step:
    def __init__(self, line, commands):
        self.line = line
        self.commands = commands
        self.expected = []


def read_steps(text):
    """The sh blocks, each with the lines of the text block that follows it directly."""
    steps, end = [], None
    for match in BLOCK.finditer(text):
        language, body = match.groups()
        if language == "sh":
            steps.append(Step(text.count("\n", 0, match.start()) + 1, body))
        elif language == "text" and end is not None and not text[end : match.start()].strip():
            steps[-1].expected = [line for line in body.splitlines() if line.strip()]
        end = match.end() if language == "sh" else None
    return steps


def pattern_of(line):
    """A regular expression for one promised line."""
    parts = []
    for word in line.split():
        pieces = []
        for piece in re.split(r"(\.\.\.)", word):
            if piece == "...":
                pieces.append(r".*")
                continue
            position = 0
            for number in NUMBER.finditer(piece):
                pieces.append(re.escape(piece[position : number.start()]) + ANY_NUMBER)
                position = number.end()
            pieces.append(re.escape(piece[position:]))
        parts.append("".join(pieces))
    return re.compile(r"\s+".join(parts))


def missing_line(expected, output):
    """The first promised line that the output lacks, or None."""
    lines, position = output.splitlines(), 0
    for line in expected:
        if line.strip() == "...":
            continue
        pattern = pattern_of(line)
        while position < len(lines) and not pattern.search(lines[position]):
            position += 1
        if position == len(lines):
            return line
        position += 1
    return None


def prepare_root(directory, root, sagejit):
    for name in SHOWN:
        (directory / name).symlink_to(root / name)
    build = directory / "build" / "release"
    build.mkdir(parents=True)
    (build / "sagejit").symlink_to(sagejit)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", type=pathlib.Path, required=True)
    parser.add_argument("--sagejit", type=pathlib.Path, required=True)
    options = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parents[2]

    steps = read_steps(options.page.read_text(encoding="utf-8"))
    if not steps or not any(step.expected for step in steps):
        sys.exit(f"{options.page}: no commands, or no promised output")
    script = "set -euo pipefail\nexec 2>&1\n"
    for step in steps:
        script += f"printf '%s' '{MARK}'\n{step.commands}\n"

    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        prepare_root(directory, root, options.sagejit.resolve())
        result = subprocess.run(
            ["bash", "-c", script], cwd=directory, stdout=subprocess.PIPE, text=True,
            errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
    outputs = result.stdout.split(MARK)[1:]
    problems = []
    if result.returncode != 0:
        line = steps[len(outputs) - 1].line
        problems.append(f"{options.page}:{line}: a command failed ({result.returncode})")
    for step, output in zip(steps, outputs):
        print(f"--- {options.page}:{step.line}\n{step.commands}>>>\n{output}")
        missing = missing_line(step.expected, output)
        if missing is not None:
            problems.append(f"{options.page}:{step.line}: the output lacks: {missing}")
    print("\n".join(problems))
    print(f"{len(outputs)} of {len(steps)} blocks run: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
