#!/usr/bin/env python3
"""Measures sagejit beside other attention libraries, on the same shapes, GPU and run.

Each shape and mask is measured in turns: peers, sagejit, peers. Writes rows.jsonl (every
measurement), table.md and plot.svg to the output directory. A peer that is not installed or fails
is a row that says why. Needs the built sagejit; torch and the other libraries where they are there.

  tools/bench_peers.py --out results --quick
  tools/bench_peers.py --out results --shapes 4,32,32,4096,4096,128 --configs configs/thread-d128.json
  tools/bench_peers.py --out results --from results/rows.jsonl     # table and plot again
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from peers import plot, report, shapes  # noqa: E402
from peers.implementations import PEERS  # noqa: E402
from peers.measure import PeerBench  # noqa: E402

DEFAULT_CONFIGS = [ROOT / "configs" / f"thread-d{dim}.json" for dim in (64, 128, 256)]
MASKS = {"both": [False, True], "no": [False], "yes": [True]}


def note(text):
    print(f"bench_peers: {text}", file=sys.stderr, flush=True)


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", required=True, type=pathlib.Path, help="directory for the results")
    parser.add_argument("--shapes", nargs="+", metavar="B,Hq,Hkv,Lq,Lk,D[,Dv]",
                        help="or one file with a shape a line; default: a dozen, see --quick")
    parser.add_argument("--configs", nargs="+", type=pathlib.Path, default=DEFAULT_CONFIGS,
                        help="each runs on the shapes of its head_dim (default: thread-d64, -d128, -d256)")
    parser.add_argument("--causal", choices=MASKS, default="both",
                        help="masks to measure; configs are used with each (default: both)")
    parser.add_argument("--sagejit", type=pathlib.Path, default=ROOT / "build/release/sagejit")
    parser.add_argument("--device", default="cuda:0", help="of sagejit: cuda:0 or host (default: cuda:0)")
    parser.add_argument("--peers", nargs="*", metavar="NAME", choices=[peer.name for peer in PEERS],
                        help=f"only these of {', '.join(peer.name for peer in PEERS)}")
    parser.add_argument("--candidates", action="store_true", help="measure every plan of the configs")
    parser.add_argument("--min-time", type=float, default=0.3, help="seconds a figure (default: 0.3)")
    parser.add_argument("--rest", type=float, default=0, metavar="SECONDS",
                        help="leave the GPU idle this long before each sample (default: 0)")
    parser.add_argument("--quick", action="store_true", help="three shapes, 0.1 seconds a figure")
    parser.add_argument("--budget", type=float, metavar="SECONDS",
                        help="begin no further shape after this long")
    parser.add_argument("--from", dest="rows", type=pathlib.Path, metavar="ROWS",
                        help="measure nothing: make table and plot from these rows")
    options = parser.parse_args(argv)
    if options.quick:
        options.min_time = min(options.min_time, 0.1)
    if options.min_time <= 0:
        parser.error("--min-time is above 0")
    if not 0 <= options.rest <= 3600:
        parser.error("--rest is at most 3600, and not negative")
    try:
        options.shapes = parse_shapes(options)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return options


def parse_shapes(options):
    if not options.shapes:
        return shapes.QUICK if options.quick else shapes.DEFAULT
    texts = options.shapes
    if len(texts) == 1 and pathlib.Path(texts[0]).is_file():
        lines = pathlib.Path(texts[0]).read_text().splitlines()
        texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [shapes.Shape.parse(text) for text in texts]


class Configs:
    """The configs with each mask, written to files of their own where they differ from the given."""

    def __init__(self, files, directory):
        self.entries = []
        for file in files:
            members = json.loads(file.read_text())
            for causal in (False, True):
                self.entries.append((members, causal, self.variant(file, members, causal, directory)))

    @staticmethod
    def variant(file, members, causal, directory):
        if (members.get("causal", "none") != "none") == causal:
            return file
        name = (members.get("name") or file.stem).removesuffix("-causal") + ("-causal" if causal else "")
        wanted = {key: value for key, value in members.items() if key != "$schema"}
        wanted.update(name=name, causal="top_left" if causal else "none")
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{name}.json"
        path.write_text(json.dumps(wanted, indent=2) + "\n")
        return path

    def matching(self, shape, causal):
        """Files of the configs for that shape and mask, each once."""
        files = [
            file for members, with_mask, file in self.entries
            if with_mask == causal and members["head_dim"] == shape.head_dim
            and members.get("head_dim_v", members["head_dim"]) == shape.head_dim_v
        ]
        return list(dict.fromkeys(files))


def run_sagejit(options, shape, files):
    """Rows of sagejit bench; one with the reason where it fails."""
    command = [options.sagejit, "bench", "--json", "--device", options.device, "--shape", shape.text(),
               "--min-time", options.min_time, "--config", *files]
    if options.candidates:
        command.append("--candidates")
    if options.rest:
        command += ["--rest", options.rest]
    command = list(map(str, command))
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        value = json.loads(result.stdout)
    except (OSError, ValueError) as error:
        return [], f"sagejit did not run: {error}"
    if "error" in value:
        return [], f"sagejit: {value['error']['where']}: {value['error']['message']}"
    problem = "sagejit: outputs are not finite" if result.returncode else ""
    return [{"schema_version": 1, **row} for row in value["rows"]], problem


class Run:
    def __init__(self, options, write):
        self.options, self.write, self.problems = options, write, []
        self.peers = [peer for peer in PEERS if not options.peers or peer.name in options.peers]
        self.bench = PeerBench(options.min_time * 1e3, options.rest)
        if options.device == "host":
            self.bench.problem = self.bench.problem or "sagejit runs on the host device"
        self.configs = Configs(options.configs, options.out / "configs")

    def measure_peers(self, shape, causal, turn):
        for peer in self.peers:
            for dtype in peer.dtypes:
                self.write(self.bench.row(peer, shape, causal, dtype, turn))

    def measure(self, shape, causal):
        self.measure_peers(shape, causal, 1)
        files = self.configs.matching(shape, causal)
        rows, problem = run_sagejit(self.options, shape, files) if files else ([], "")
        for row in rows:
            self.write(row)
        if problem:
            note(problem)
            self.problems.append(problem)
        if not self.bench.problem:
            self.measure_peers(shape, causal, 2)

    def all(self):
        start = time.monotonic()
        todo = [(shape, causal) for shape in self.options.shapes for causal in MASKS[self.options.causal]]
        for index, (shape, causal) in enumerate(todo):
            if self.options.budget and time.monotonic() - start > self.options.budget:
                note(f"the budget is spent: {len(todo) - index} of {len(todo)} not measured")
                break
            note(f"{index + 1} of {len(todo)}: {shape.text()}{' causal' if causal else ''}")
            self.measure(shape, causal)


def main(argv=None):
    options = parse_arguments(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    rows, problems = [], []
    if options.rows:
        rows = [json.loads(line) for line in options.rows.read_text().splitlines()]
    else:
        with open(options.out / "rows.jsonl", "w", encoding="utf-8") as file:

            def write(row):
                rows.append(row)
                file.write(json.dumps(row) + "\n")
                file.flush()

            run = Run(options, write)
            run.all()
            problems = run.problems
    table = report.markdown(rows)
    (options.out / "table.md").write_text(table, encoding="utf-8")
    (options.out / "plot.svg").write_text(plot.svg(rows), encoding="utf-8")
    print(table, end="")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
