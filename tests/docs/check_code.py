"""check_code.py ROOT: the code of the how-to pages is the code of the examples, which are built and run,
and the API reference names every C function.

A comment before a code block, <!-- FILE --> or <!-- part of FILE -->, says what it must equal or be
a part of. Every page must have one."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
blocks = re.compile(r"<!-- (part of )?(\S+) -->\n```\w*\n(.*?)\n```", re.DOTALL)
problems = []
for name in ("embed-in-cpp", "embed-in-c"):
    page = root / "docs/how-to" / f"{name}.md"
    found = blocks.findall(page.read_text(encoding="utf-8"))
    if len(found) < 2:
        problems.append(f"{page}: {len(found)} code blocks name a file")
    for part, file, code in found:
        text = (page.parent / file).resolve().read_text(encoding="utf-8").rstrip("\n")
        if (code not in text) if part else (code != text):
            problems.append(f"{page}: the code differs from {file}")

# The reference names all there is in the C header.
header = (root / "runtime/include/sagejit.h").read_text(encoding="utf-8")
header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
functions = set(re.findall(r"\b(sagejit_\w+)\s*\(", header))
reference = (root / "docs/reference/api.md").read_text(encoding="utf-8")
problems += [f"docs/reference/api.md: no {f}" for f in sorted(functions) if f"`{f}`" not in reference]
if len(functions) < 20:
    problems.append(f"only {len(functions)} functions in sagejit.h")
print("\n".join(problems))
sys.exit(bool(problems))
