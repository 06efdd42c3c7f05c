"""From rows to one Markdown table."""

import collections
import statistics

from .shapes import Shape


def key_of(row):
    causal = row["causal"] if row["kind"] == "peer" else row["spec"]["causal"] != "none"
    return Shape.from_json(row["shape"]), causal


def collect(rows):
    """{(shape, causal): {column: TFLOPS}}, columns in order of appearance.

    Peers: of all turns and dtypes the best dtype, its turns' median. Ours: a config's attention
    alone and whole call, the best of its plans.
    """
    turns = collections.defaultdict(list)
    cells = {}
    for row in rows:
        cells.setdefault(key_of(row), {})
        if row["kind"] == "peer" and "tflops" in row:
            turns[key_of(row), row["peer"], row["dtype"]].append(row["tflops"])
        if row["kind"] == "bench" and "attention" in row:
            for part, name in (("attention", "alone"), ("whole_call", "whole")):
                cell = cells[key_of(row)]
                column = ("sagejit", config_family(row), name)
                cell[column] = max(cell.get(column, 0), row[part]["tflops"])
    for (key, peer, dtype), values in turns.items():
        cell, column = cells[key], ("peer", peer, "")
        cell[column] = max(cell.get(column, 0), statistics.median(values))
    return cells


def config_family(row):
    """A config's name without its head_dim and mask, so that one column serves all shapes."""
    parts = row["config"].split("-")
    return "-".join(part for part in parts if part != "causal" and not part[1:].isdigit())


def columns_of(cells):
    seen = {}
    for cell in cells.values():
        seen.update(dict.fromkeys(cell))
    return sorted(seen, key=lambda column: (column[0] != "peer", list(seen).index(column)))


def title(column):
    kind, name, part = column
    return name if kind == "peer" else f"{name} ({part})"


def speedup(cell, alone_peers):
    """Best whole call of ours over the best peer's."""
    ours = [value for (kind, _, part), value in cell.items() if kind == "sagejit" and part == "whole"]
    peers = [
        value for (kind, name, _), value in cell.items() if kind == "peer" and name not in alone_peers
    ]
    return max(ours) / max(peers) if ours and peers else None


def skipped(rows):
    """{reason: peers}, for the notes below the table."""
    reasons = collections.defaultdict(set)
    for row in rows:
        if "skipped" in row:
            reasons[row["skipped"]].add(row["peer"])
        if "error" in row:
            reasons[row["error"]["message"]].add("sagejit")
    return reasons


def markdown(rows):
    cells = collect(rows)
    columns = columns_of(cells)
    alone_peers = {row["peer"] for row in rows if row["kind"] == "peer" and row["kernel_alone"]}
    devices = sorted({str(row["device_name"]) for row in rows if row.get("device_name")})
    lines = [f"TFLOPS, medians, on {', '.join(devices) or 'no device'}.", ""]
    header = ["B,Hq,Hkv,Lq,Lk,D", "causal", *map(title, columns), "whole call / best peer"]
    lines += ["| " + " | ".join(header) + " |", "|" + "---|" * 2 + "---:|" * (len(header) - 2)]
    for (shape, causal), cell in cells.items():
        ratio = speedup(cell, alone_peers)
        values = [f"{cell[column]:.4g}" if column in cell else "–" for column in columns]
        row = [shape.text(), "yes" if causal else "no", *values, f"{ratio:.2f}" if ratio else "–"]
        lines.append("| " + " | ".join(row) + " |")
    if alone_peers & {name for _, name, _ in columns}:
        lines += ["", f"Without conversion of operands: {', '.join(sorted(alone_peers))}."]
    reasons = skipped(rows)
    if reasons:
        lines += ["", "Not measured:", ""]
        lines += [f"- {', '.join(sorted(names))}: {reason}" for reason, names in sorted(reasons.items())]
    return "\n".join(lines) + "\n"
