#!/usr/bin/env python3
"""Checks that relative links between Markdown pages name files and headings that exist.

Usage: check_links.py [repository root]
"""

import pathlib
import re
import sys

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def anchor(heading):
    """What GitHub makes of a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def prose(page):
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def main(root):
    pages = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("tests/data/**/*.md")]
    problems, links = [], 0
    for page in sorted(pages):
        for link in LINK.findall(prose(page)):
            if "://" in link or link.startswith("mailto:"):
                continue
            links += 1
            path, _, fragment = link.partition("#")
            target = page if not path else (page.parent / path).resolve()
            where = page.relative_to(root)
            if not target.exists():
                problems.append(f"{where}: no such file: {link}")
            elif fragment and target.suffix == ".md":
                if fragment not in {anchor(heading) for heading in HEADING.findall(prose(target))}:
                    problems.append(f"{where}: no such heading: {link}")
    print("\n".join(problems))
    print(f"{len(pages)} pages, {links} links: {len(problems)} problems")
    return 1 if problems or not links else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()))
