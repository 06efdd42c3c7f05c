#!/usr/bin/env python3
"""Checks that configs/schema.json gives the verdicts the corpus states.

The C++ parser is held to the same corpus by tests/unit/spec_test.cpp, so the two agree.
Usage: schema_test.py [repository root]
"""

import json
import pathlib
import sys

try:
    import jsonschema
except ImportError:
    sys.exit("python3-jsonschema is missing: apt-get install python3-jsonschema")

LEAST_ACCEPTED = 25
LEAST_REFUSED = 60


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def main(root):
    schema = read(root / "configs" / "schema.json")
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)

    shipped = [p for p in sorted((root / "configs").glob("*.json")) if p.name != "schema.json"]
    corpus = root / "tests" / "corpus" / "configs"
    accepted = sorted((corpus / "accept").glob("*.json"))
    refused = sorted((corpus / "refuse").glob("*.json"))

    problems = []
    for path in shipped + accepted:
        for error in validator.iter_errors(read(path)):
            place = "/".join(str(part) for part in error.absolute_path)
            problems.append(f"{path}: refused at /{place}: {error.message}")
    for path in refused:
        if validator.is_valid(read(path)):
            problems.append(f"{path}: accepted")
    for path in shipped:
        if read(path).get("$schema") != "schema.json":
            problems.append(f'{path}: lacks "$schema": "schema.json"')

    # An empty or moved corpus must not pass.
    if not shipped or len(accepted) < LEAST_ACCEPTED or len(refused) < LEAST_REFUSED:
        problems.append(
            f"{corpus}: {len(accepted)} accepted and {len(refused)} refused configs, "
            f"{len(shipped)} shipped: some are missing"
        )

    print("\n".join(problems))
    print(
        f"{len(shipped)} shipped, {len(accepted)} to accept, {len(refused)} to refuse: "
        f"{len(problems)} problems"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    default_root = pathlib.Path(__file__).resolve().parents[2]
    sys.exit(main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default_root))
