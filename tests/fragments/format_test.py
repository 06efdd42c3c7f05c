#!/usr/bin/env python3
"""Checks that clang-format leaves every C++ file and fragment as it is.

Exit status 77 (skip) where Debian 12's clang-format is not installed: other versions break lines
elsewhere. Usage: format_test.py [repository root]
"""

import pathlib
import re
import shutil
import subprocess
import sys

VERSION = "14"  # major version whose layout the repository keeps
ROOMS = ["generator", "runtime", "templates", "tools", "tests"]
SUFFIXES = {".h", ".cpp", ".cuh"}
EMITTED = "tests/golden"  # written by the generator, not by hand


def find_clang_format():
    for name in [f"clang-format-{VERSION}", "clang-format"]:
        path = shutil.which(name)
        if path is None:
            continue
        output = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        match = re.search(r"version (\d+)", output)
        if match and match.group(1) == VERSION:
            return path
    return None


def main(root):
    clang_format = find_clang_format()
    if clang_format is None:
        print(f"skipped: clang-format {VERSION} is not installed (apt-get install clang-format)")
        return 77
    files = [
        str(path.relative_to(root))
        for room in ROOMS
        for path in sorted((root / room).rglob("*"))
        if path.suffix in SUFFIXES and not path.is_relative_to(root / EMITTED)
    ]
    if not files:
        print(f"no sources under {root}")
        return 1
    result = subprocess.run(
        [clang_format, "--dry-run", "-Werror", "--ferror-limit=1", *files], cwd=root
    )
    print(f"{len(files)} files: {'formatted' if result.returncode == 0 else 'run clang-format -i'}")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
