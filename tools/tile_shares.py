#!/usr/bin/env python3
"""How evenly causal query tiles of the wgmma family are shared out among CTAs.

For each shape prints the work of the CTA that has most, over the even share: with tiles dealt out in turn (longest rows first
among as many heads as CACHE bytes hold), dealt out back and forth, and drawn by whichever CTA is free. The
work of a tile is its steps over key tiles and STEPS more for what a tile costs besides. A simulation; it times nothing.
"""

import argparse
import heapq

EXAMPLES = """examples (B,H,S,D,tile_q,tile_k):
  tools/tile_shares.py 4,8,4096,256,128,80 4,16,4096,128,192,80
  tools/tile_shares.py --fp8 4,8,4096,256,128,64
"""


def divide_up(a, b):
    return -(-a // b)


def tiles_in_order(heads, rows, chunk):
    """Row numbers in the order in which tiles are taken."""
    order = []
    for first in range(0, heads, chunk):
        for row in reversed(range(rows)):
            order += [row] * min(chunk, heads - first)
    return order


def dealt(work, ctas, back_and_forth):
    total = [0] * ctas
    for index, amount in enumerate(work):
        turn, place = divmod(index, ctas)
        total[ctas - 1 - place if back_and_forth and turn % 2 else place] += amount
    return max(total)


def drawn(work, ctas):
    total = [0] * ctas
    for amount in work:
        heapq.heappush(total, heapq.heappop(total) + amount)
    return max(total)


def shape_of(text):
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 6 or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not B,H,S,D,tile_q,tile_k")
    return numbers


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shapes", nargs="+", type=shape_of, metavar="B,H,S,D,tile_q,tile_k")
    parser.add_argument("--ctas", type=int, default=132, help="that run at once (default: 132)")
    parser.add_argument("--steps", type=float, default=5, help="a tile costs besides its own (default: 5)")
    parser.add_argument("--cache", type=int, default=24 << 20, help="bytes for keys and values (default: 24 MiB)")
    parser.add_argument("--fp8", action="store_true", help="values take a byte, not two")
    arguments = parser.parse_args()
    print("B,H,S,D,tile_q,tile_k          heads a chunk   in turn   back and forth   drawn")
    for batch, heads, length, dim, tile_q, tile_k in arguments.shapes:
        rows = divide_up(length, tile_q)
        amounts = [
            divide_up(min(length, (row + 1) * tile_q), tile_k) + arguments.steps for row in range(rows)
        ]
        row_bytes = dim + (1 if arguments.fp8 else 2) * dim
        chunk = min(batch * heads, max(1, arguments.cache // (row_bytes * length)))
        work = [amounts[row] for row in tiles_in_order(batch * heads, rows, chunk)]
        even = sum(work) / arguments.ctas
        shares = [dealt(work, arguments.ctas, False), dealt(work, arguments.ctas, True), drawn(work, arguments.ctas)]
        name = f"{batch},{heads},{length},{dim},{tile_q},{tile_k}"
        print(f"{name:30} {chunk:13} {shares[0] / even:9.3f} {shares[1] / even:16.3f} {shares[2] / even:7.3f}")


if __name__ == "__main__":
    main()
