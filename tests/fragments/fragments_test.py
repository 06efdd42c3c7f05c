#!/usr/bin/env python3
"""Compiles every fragment under templates/ alone, and looks for fragments no plan chooses.

"Alone" means: the host form of the plan constants, types and instruction wrappers, then only those
slots that define a name the fragment uses (or that one of those uses), then the fragment. So a
fragment that leans on a slot pasted after it, or on a warning, fails here under its own name.
The plans are the shipped configs and tests/fragments/plans/*.json.

Usage: fragments_test.py --sagejit build/release/sagejit [--compiler c++] [--root .]
"""

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

FLAGS = [
    "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
    "-Wno-unknown-pragmas",  # #pragma unroll
    # A fragment alone uses few of the helpers pasted before it.
    "-Wno-unused", "-Wno-unused-parameter",
]  # fmt: skip
SLOT = re.compile(r"^// slot (\S+): templates/(\S+)\n", re.MULTILINE)
WRAPPERS = "// instruction wrappers\n"
QUALIFIERS = "host/qualifiers.cuh"  # opens the host form; carries no slot line
# What a fragment defines at its top level.
DEFINITIONS = [
    re.compile(r"^(?:struct|using) (\w+)", re.MULTILINE),
    re.compile(r"^(?:static )?constexpr [\w:]+ (\w+)", re.MULTILINE),
    re.compile(r"^__device__[^(;{]*?(\w+)\(", re.MULTILINE),
]
WORD = re.compile(r"[A-Za-z_]\w*")
COMMENT = re.compile(r"//[^\n]*")
LEAST_FRAGMENTS = 60  # a moved templates/ must not pass


def defined_names(text):
    return {name for pattern in DEFINITIONS for name in pattern.findall(text)}


class Slot:
    def __init__(self, file, text):
        self.file = file
        self.text = text
        code = COMMENT.sub("", text)
        self.defines = defined_names(code)
        self.words = set(WORD.findall(code))


class HostSource:
    """One emitted host form, in pieces."""

    def __init__(self, text):
        head, body = text.split(WRAPPERS, 1)
        wrappers, *rest = re.split(r"(?=^// slot )", body, flags=re.MULTILINE)
        self.preamble = head + WRAPPERS + wrappers
        self.head_files = [QUALIFIERS, *(match.group(2) for match in SLOT.finditer(head))]
        self.slots = []
        for piece in rest:
            match = SLOT.match(piece)
            self.slots.append(Slot(match.group(2), piece[match.end() :]))

    def alone(self, index):
        """The text to compile for slot `index`."""
        wanted, todo = set(), [index]
        while todo:
            slot = self.slots[todo.pop()]
            for earlier in range(index):
                if earlier not in wanted and self.slots[earlier].defines & slot.words:
                    wanted.add(earlier)
                    todo.append(earlier)
        parts = [self.slots[i] for i in sorted(wanted)] + [self.slots[index]]
        lines = [f'#line 1 "templates/{part.file}"\n{part.text}' for part in parts]
        return self.preamble + "".join(lines)


def emit(sagejit, config):
    result = subprocess.run(
        [sagejit, "emit", "--host", "--config", config], capture_output=True, text=True
    )
    if result.returncode != 0:
        sys.exit(f"sagejit emit --host --config {config}: {result.stderr}")
    return HostSource(result.stdout)


def compile_alone(compiler, text):
    result = subprocess.run(
        [compiler, *FLAGS, "-x", "c++", "-"], input=text, capture_output=True, text=True
    )
    return "" if result.returncode == 0 else result.stderr or f"exit status {result.returncode}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sagejit", required=True)
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--root", type=pathlib.Path, default=".")
    options = parser.parse_args()

    templates = options.root / "templates"
    files = {path.relative_to(templates).as_posix() for path in templates.rglob("*.cuh")}
    configs = [p for p in sorted((options.root / "configs").glob("*.json")) if p.stem != "schema"]
    configs += sorted((options.root / "tests/fragments/plans").glob("*.json"))

    texts = {}  # file -> what to compile, from the first plan that chooses it
    for config in configs:
        source = emit(options.sagejit, config)
        # The head of a source is one unit: it ends with the wrappers, which use all of it.
        for file in source.head_files:
            texts.setdefault(file, source.preamble)
        for index, slot in enumerate(source.slots):
            if slot.file not in texts:
                texts[slot.file] = source.alone(index)

    problems = [f"templates/{file}: no plan chooses it" for file in sorted(files - texts.keys())]
    problems += [f"templates/{file}: no such file" for file in sorted(texts.keys() - files)]
    if len(files) < LEAST_FRAGMENTS:
        problems.append(f"{templates}: only {len(files)} fragments; some are missing")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        errors = pool.map(lambda text: compile_alone(options.compiler, text), texts.values())
        for file, error in zip(texts, errors):
            if error:
                problems.append(f"templates/{file}: does not compile alone\n{error}")

    print("\n".join(problems))
    print(f"{len(files)} fragments, {len(configs)} plans: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
