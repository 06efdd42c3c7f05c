#!/usr/bin/env python3
"""What sagejit adds to a launch, against limits that only a mistake exceeds.

The figures that count are those of an idle machine: docs/explanation/launching.md.
"""

import json
import subprocess
import sys

# Nanoseconds over bare driver calls: the goal, and what a busy machine may take.
LIMITS = {
    "by_handle": (50, 400),
    "by_handle_new_addresses": (None, 500),
    "by_spec": (150, 600),
    "by_handle_new_sizes": (None, 1000),
}


def measured(program):
    """The counters of each benchmark, medians of many bursts in nanoseconds a call."""
    arguments = ["--benchmark_min_time=0.3", "--benchmark_format=json"]
    result = subprocess.run([program, *arguments], stdout=subprocess.PIPE, check=True, timeout=240)
    return json.loads(result.stdout)["benchmarks"]


def main():
    rows = measured(sys.argv[1])
    failed = sorted(row["kernels"] for row in rows) != [2, 4]
    for row in rows:
        for name, (goal, limit) in LIMITS.items():
            added = row[name + "_added"]
            # The difference is of the two, and nothing was left out of the timing.
            failed |= added > limit or row["bare"] <= 0 or row[name] <= 0
            print(f"{row['kernels']:.0f} kernels, {name}: {added:.0f} ns over {row['bare']:.0f} ns of the "
                  f"driver (goal {goal or 'none'}, limit {limit})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
