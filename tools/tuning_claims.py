#!/usr/bin/env python3
"""What a tuning is worth, held against an exhaustive sweep of the same configs and shapes.

  sagejit tune --config C... --shapes docs/benchmarks/anchors.txt --budget 5m --json > tuned.json
  sagejit tune --config C... --shapes docs/benchmarks/anchors.txt --budget 5m --exhaustive --again --json > sweep.json
  tools/tuning_claims.py tuned.json sweep.json

The sweep measures afresh (--again), so that the tuning is not judged by its own measurements, and
with the same cache directory, so that the tuning's winners race in it to the end. Prints a table and
three claims: how long the tuning took; how far its winners are behind the best plan of the sweep, by
the sweep's figures for both, which are medians over the same turns of its race; in how many cases the model's first five contain that best plan. The last column
is not part of a claim: how far the best of those five is behind it, which may be less than the spread.
"""

import argparse
import json
import pathlib
import sys

SECONDS, BEHIND, FIRST, SHARE = 300, 0.02, 5, 0.8


def read(path):
    return json.loads(pathlib.Path(path).read_text())


def key_of(result):
    return result["config"], result["target"], tuple(result["shape"].items())


def shape_text(shape):
    sizes = [shape[name] for name in ("batch", "heads_q", "heads_kv", "len_q", "len_k", "head_dim")]
    if shape["head_dim_v"] != shape["head_dim"]:
        sizes.append(shape["head_dim_v"])
    return ",".join(map(str, sizes))


def length(candidate):
    """How long it was measured, in turns of the race before milliseconds."""
    return candidate.get("turns", 0), candidate["measured_for_ms"]


def finalists(candidates):
    """Those measured as long as any: a short measurement may be lucky, and the times of those that
    stayed in the race to its end are of the same turns."""
    measured = [each for each in candidates if each["status"] == "measured"]
    longest = max(map(length, measured), default=None)
    return [each for each in measured if length(each) == longest]


def median(candidate):
    return candidate["whole_call"]["median_ms"]


def in_order(candidates):
    """As the model ranks them; of equal predictions the generator's order decides."""
    return sorted(candidates, key=lambda each: each["predicted"]["whole_call_ms"])


def compare(tuned, swept):
    """A row for a config and shape; `problem` where there is nothing to compare."""
    candidates = swept["candidates"]
    measured = [each for each in candidates if each["status"] == "measured"]
    unknown = [each["plan"] for each in candidates if each["status"] in ("pruned", "not_reached")]
    row = {"config": swept["config"], "shape": shape_text(swept["shape"]),
           "candidates": len(candidates), "swept": len(measured), "complete": tuned["complete"],
           "tuned": sum(each["status"] == "measured" for each in tuned["candidates"])}
    best = min(finalists(candidates), key=median, default=None)
    winner = next((each for each in measured if each["plan"] == tuned["winner"]), None)
    if best is None or winner is None:
        return {**row, "problem": "no plan was measured by both"}
    if unknown:
        return {**row, "problem": f"the sweep left out {len(unknown)} plans"}
    if length(winner) != length(best):
        return {**row, "problem": f"{winner['plan']} was not measured as long as the best, {best['plan']}"}
    best_ms, winner_ms = median(best), median(winner)
    ranked = in_order(candidates)
    known = [each for each in ranked[:FIRST] if each["status"] == "measured"]
    first = [median(each) for each in known if each in finalists(candidates)] or map(median, known)
    return {**row, "winner": winner["plan"], "winner_ms": winner_ms, "best": best["plan"],
            "best_ms": best_ms, "behind": max(winner_ms / best_ms - 1, 0),
            "spread": (best["whole_call"]["q3_ms"] - best["whole_call"]["q1_ms"]) / best_ms,
            "rank": 1 + ranked.index(best),
            "first_behind": min(first, default=float("inf")) / best_ms - 1}


def claims_of(tuned, rows):
    """(text, whether it holds), each."""
    good = [row for row in rows if "problem" not in row]
    worst = max((row["behind"] for row in good), default=1)
    first = sum(row["rank"] <= FIRST for row in good)
    complete = len(good) == len(rows) and bool(rows)
    return [
        (f"tuning took {tuned['seconds']:.0f} s (at most {SECONDS})", tuned["seconds"] <= SECONDS),
        (f"the worst winner is {100 * worst:.1f} % behind the best plan (at most {100 * BEHIND:.0f} %)",
         complete and worst <= BEHIND),
        (f"the model's first {FIRST} contain the best plan in {first} of {len(rows)} cases "
         f"(at least {100 * SHARE:.0f} %)", complete and first >= SHARE * len(rows)),
    ]


def table(rows):
    lines = ["| config | shape | plans | tuned | its winner | ms | best of all | ms (spread) | behind | its rank | "
             f"first {FIRST} behind |", "|---|---|---:|---:|---|---:|---|---:|---:|---:|---:|"]
    for row in rows:
        start = f"| {row['config']} | {row['shape']} | {row['swept']} of {row['candidates']} | {row['tuned']}"
        start += "" if row["complete"] else " (cut short)"
        if "problem" in row:
            lines.append(f"{start} | {row['problem']} | | | | | | |")
            continue
        lines.append(f"{start} | {row['winner']} | {row['winner_ms']:.4g} | {row['best']} | "
                     f"{row['best_ms']:.4g} ({100 * row['spread']:.1f} %) | {100 * row['behind']:.1f} % | "
                     f"{row['rank']} | {100 * row['first_behind']:.1f} % |")
    return "\n".join(lines) + "\n"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tuned", help="JSON of the tuning")
    parser.add_argument("sweep", help="JSON of the exhaustive sweep")
    parser.add_argument("--records", type=pathlib.Path, metavar="FILE",
                        help="also write the sweep's records, as configs/tuned/*.jsonl holds them")
    parser.add_argument("--json", action="store_true", help="print the rows and claims as JSON")
    options = parser.parse_args(argv)
    tuned, sweep = read(options.tuned), read(options.sweep)
    if not sweep["exhaustive"]:
        parser.error(f"{options.sweep} is no exhaustive sweep")
    by_key = {key_of(result): result for result in tuned["results"]}
    missing = [key_of(result)[0] for result in sweep["results"] if key_of(result) not in by_key]
    if missing or len(by_key) != len(sweep["results"]):
        parser.error("the two are not of the same configs and shapes")
    rows = [compare(by_key[key_of(result)], result) for result in sweep["results"]]
    claims = claims_of(tuned, rows)
    if options.records:
        lines = [json.dumps(result["record"], separators=(",", ":")) + "\n"
                 for result in sweep["results"] if result["record"]]
        options.records.write_text("".join(lines))
    if options.json:
        print(json.dumps({"rows": rows, "claims": [{"text": t, "holds": h} for t, h in claims]}))
    else:
        print(table(rows))
        for text, holds in claims:
            print(f"- {'holds' if holds else 'FAILS'}: {text}")
    return 0 if all(holds for _, holds in claims) else 1


if __name__ == "__main__":
    sys.exit(main())
