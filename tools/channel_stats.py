"""Channel-mean statistics of K and V, and the Markdown page that reports them.

Used by capture_smollm2.py (option --stats).
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import numpy as np

BLOCK = 64  # tokens that share one int8 scale


@dataclass
class HeadStats:
    """Statistics of one head; mean and standard deviation are over its tokens."""

    bias: float             # max over channels of |mean| / std
    channel: int            # the channel of that maximum
    mean_energy: float      # sum over channels of mean^2
    energy: float           # sum over channels of the mean of x^2
    amax: float             # max |x|
    amax_centred: float     # the same after subtracting the channel means
    first_token: bool       # the first token holds amax_centred
    later_gain: float       # amax / centred amax of all tokens but the first
    block_gain: np.ndarray  # per block of BLOCK tokens: amax / centred amax

    @staticmethod
    def of(x: np.ndarray) -> HeadStats:
        """x [len, head_dim]."""
        x = x.astype(np.float64)
        mean = x.mean(axis=0)
        bias = np.abs(mean) / x.std(axis=0)
        amax, centred = np.abs(x).max(axis=1), np.abs(x - mean).max(axis=1)
        starts = np.arange(0, len(x), BLOCK)
        gain = np.maximum.reduceat(amax, starts) / np.maximum.reduceat(centred, starts)
        return HeadStats(bias.max(), int(bias.argmax()), (mean**2).sum(), (x**2).mean(axis=0).sum(),
                         amax.max(), centred.max(), int(centred.argmax()) == 0,
                         amax[1:].max() / centred[1:].max(), gain)


Stats = list[list[HeadStats]]  # [layers][heads_kv]


def measure(layers: list[np.ndarray]) -> Stats:
    """One array [heads_kv, len, head_dim] per layer."""
    return [[HeadStats.of(head) for head in layer] for layer in layers]


def geometric_mean(values) -> float:
    return float(np.exp(np.mean(np.log(values))))


def energy_share(heads: list[HeadStats]) -> float:
    return sum(h.mean_energy for h in heads) / sum(h.energy for h in heads)


def block_gain(heads: list[HeadStats]) -> float:
    return geometric_mean(np.concatenate([h.block_gain for h in heads]))


def table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---:"] * len(columns), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def layer_table(stats: Stats) -> str:
    columns = ["layer", "max \\|mean\\|/std", "at head, channel", "share in means", "amax",
               "amax centred", "ratio", "ratio per block"]
    rows = []
    for layer, heads in enumerate(stats):
        top = max(range(len(heads)), key=lambda i: heads[i].bias)
        amax, centred = max(h.amax for h in heads), max(h.amax_centred for h in heads)
        numbers = energy_share(heads), amax, centred, amax / centred, block_gain(heads)
        rows.append([str(layer), f"{heads[top].bias:.2f}", f"{top}, {heads[top].channel}",
                     *(f"{x:.2f}" for x in numbers)])
    return table(columns, rows)


def head_table(stats: Stats) -> str:
    count = range(len(stats[0]))
    columns = ["layer", *(f"share, head {h}" for h in count),
               *(f"ratio per block, head {h}" for h in count)]
    rows = [[str(layer), *(f"{energy_share([h]):.2f}" for h in heads),
             *(f"{block_gain([h]):.2f}" for h in heads)] for layer, heads in enumerate(stats)]
    return table(columns, rows)


def findings(k: Stats, v: Stats, length: int, head_dim: int, rope_base: float) -> list[str]:
    k_heads, v_heads = sum(k, []), sum(v, [])
    shares = [energy_share(heads) for heads in k]
    best = max(range(len(k)), key=lambda layer: block_gain(k[layer]))
    half = head_dim // 2
    turns = length * rope_base ** (-np.arange(half) / half) / (2 * np.pi)
    slow = int(np.argmax(turns < 1))
    return [
        f"The channel means hold {np.median(shares):.2f} of the energy of K in the median layer "
        f"({min(shares):.2f} to {max(shares):.2f}), more than half in "
        f"{sum(s > 0.5 for s in shares)} of {len(k)} layers.",
        "Subtracting them from K shifts all scores of a query by the same number, so softmax does "
        f"not change. The int8 step of a block of {BLOCK} tokens becomes {block_gain(k_heads):.2f} "
        f"times finer (geometric mean over all blocks), {block_gain(k[best]):.2f} times in layer "
        f"{best}.",
        "One scale for the whole sequence gains less, "
        f"{geometric_mean([h.amax / h.amax_centred for h in k_heads]):.2f} times per head: in "
        f"{sum(h.first_token for h in k_heads)} of {len(k_heads)} KV heads the largest centred value "
        "belongs to the first token, whose K is far from the mean. Without that token the gain is "
        f"{geometric_mean([h.later_gain for h in k_heads]):.2f} times.",
        f"In {sum(h.channel % half >= slow for h in k_heads)} of {len(k_heads)} KV heads the channel "
        f"with the largest |mean|/std is one that RoPE turns less than once in {length} tokens "
        f"(pairs i >= {slow} of {half}); the rotation averages out the means of faster pairs.",
        f"The means of V hold {np.median([energy_share(heads) for heads in v]):.2f} of its energy in "
        f"the median layer; subtracting them makes the step {block_gain(v_heads):.2f} times finer.",
    ]


COLUMNS = [
    "max |mean|/std: largest over the channels of a head and the heads of the layer; mean and "
    "standard deviation are over the tokens.",
    "share in means: sum over channels of mean^2, divided by the sum of the mean of x^2.",
    "amax, amax centred: largest |x| of the layer before and after subtracting the channel means. "
    "ratio: amax / amax centred, the factor by which one int8 step for the layer becomes finer.",
    f"ratio per block: the same factor per head and block of {BLOCK} tokens, geometric mean.",
]


def page(model: str, text: str, command: str, k: Stats, v: Stats, length: int, head_dim: int,
         rope_base: float) -> str:
    """The Markdown page."""
    def bullets(items: list[str]) -> str:
        return "\n".join(textwrap.fill(item, 88, initial_indent="- ", subsequent_indent="  ",
                                       break_on_hyphens=False) for item in items)

    intro = textwrap.fill(
        f"{model}: K after RoPE and V of all {len(k)} layers, {len(k[0])} KV heads, head_dim "
        f"{head_dim}, rounded to F16, on {length} tokens of {text}. Channels are in the published "
        f"checkpoint's order: RoPE rotates channels i and i + {head_dim // 2}.", 88,
        break_on_hyphens=False)
    return (f"# Channel means of K and V in SmolLM2-135M\n\n{intro}\n\nMade by\n\n    {command}\n\n"
            f"## Findings\n\n{bullets(findings(k, v, length, head_dim, rope_base))}\n\n"
            f"## Columns\n\n{bullets(COLUMNS)}\n\n"
            f"## K by layer\n\n{layer_table(k)}\n## K by KV head\n\n{head_table(k)}\n"
            f"## V by layer\n\n{layer_table(v)}")
