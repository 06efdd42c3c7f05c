#!/usr/bin/env python3
"""What sagejit adds to a launch, against limits that only a mistake exceeds.

The figures that count are those of an idle machine: docs/explanation/launching.md.
"""

import json
import subprocess
import sys

# Nanoseconds over bare driver calls: the goal, and what a busy machine may take.
LIMITS = {"by_handle": (50, 400), "by_spec": (150, 600), "by_handle_new_sizes": (None, 1000)}


def best_times(program):
    """The least CPU time of each benchmark in nanoseconds: what happens undisturbed."""
    arguments = ["--benchmark_repetitions=20", "--benchmark_min_time=0.005", "--benchmark_format=json"]
    result = subprocess.run([program, *arguments], stdout=subprocess.PIPE, check=True, timeout=120)
    best = {}
    for row in json.loads(result.stdout)["benchmarks"]:
        if row["run_type"] == "iteration":
            assert row["time_unit"] == "ns"
            best[row["name"]] = min(best.get(row["name"], float("inf")), row["cpu_time"])
    return best


def main():
    best = best_times(sys.argv[1])
    failed = False
    for name, (goal, limit) in LIMITS.items():
        for index in (0, 1):
            bare = best[f"bare/{index}"]
            added = best[f"{name}/{index}"] - bare
            failed |= added > limit
            print(f"{name}/{index}: {added:.0f} ns over {bare:.0f} ns of the driver "
                  f"(goal {goal or 'none'}, limit {limit})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
