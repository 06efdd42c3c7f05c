"""symbols_test.py LIBRARY HEADER... [--static]: the shared library exports what the C headers declare
and nothing else, under its SONAME, and needs only the C library."""

import re
import subprocess
import sys

static = "--static" in sys.argv
library, *headers = [argument for argument in sys.argv[1:] if argument != "--static"]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


declared = set()
for header in headers:
    text = re.sub(r"/\*.*?\*/", "", open(header, encoding="utf-8").read(), flags=re.DOTALL)
    declared |= set(re.findall(r"\b(sagejit_\w+)\s*\(", text))
lines = output("nm", "-D", "--defined-only", "--with-symbol-versions", library).splitlines()
exported = {line.split()[-1] for line in lines} - {"SAGEJIT_0"}

problems = []
if len(declared) < 20:
    problems.append(f"found only {len(declared)} declarations")
for name in sorted(declared):
    if f"{name}@@SAGEJIT_0" not in exported:
        problems.append(f"{name} is declared and not exported")
for name in sorted(exported - {f"{name}@@SAGEJIT_0" for name in declared}):
    problems.append(f"{name} is exported and not declared")

dynamic = output("readelf", "-d", library)
soname = re.search(r"\(SONAME\).*\[(.*)\]", dynamic)
if not soname or soname.group(1) != "libsagejit.so.0":
    problems.append(f"SONAME is {soname and soname.group(1)}, not libsagejit.so.0")
needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
libc = re.compile(r"(libc|libm|libdl|libpthread|ld-linux-[\w-]+)\.so\.\d+")
if static:
    problems += [f"needs {name}" for name in sorted(needed) if not libc.fullmatch(name)]
if "NODELETE" not in dynamic:
    problems.append("could be unloaded by dlclose")

print("\n".join(problems) or f"{len(declared)} functions")
sys.exit(bool(problems))
