#!/usr/bin/env python3
"""How evenly causal query tiles of the wgmma family are shared out among CTAs.

For each shape prints the work of the CTA that has most, over the even share: with tiles dealt out in turn (longest rows first
among as many heads as CACHE bytes hold), dealt out back and forth, and drawn by whichever CTA is free; then drawn among as
many heads as leave the last chunk of them fullest, which is what kernels do. The work of a tile is its steps over key tiles and
STEPS more for what a tile costs besides, in proportion to its groups of 64 rows and 3. A simulation; it times nothing.
"""

import argparse
import heapq
import random

EXAMPLES = """examples (B,H,S,D,tile_q,tile_k):
  tools/tile_shares.py 4,8,4096,256,128,80 4,16,4096,128,192,80
  tools/tile_shares.py --fp8 4,8,4096,256,128,64
  tools/tile_shares.py --random 250
"""
GROUP_ROWS = 64


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


def fullest_chunk(heads, most):
    """As fullest_chunk in runtime/src/value_map.cpp."""
    sizes = range(most, (most + 1) // 2 - 1, -1)
    return max(sizes, key=lambda size: (((heads - 1) % size + 1) / size, size))


def tile_costs(length, tile_q, tile_k, steps):
    """Of a head's query tiles, the first ones a group lower where there is room for more rows than there are."""
    tiles = divide_up(length, tile_q)
    spare = (tiles * tile_q - length) // GROUP_ROWS
    costs, end = [], 0
    for tile in range(tiles):
        rows = tile_q - (GROUP_ROWS if tile < spare else 0)
        end += rows
        height = (rows / GROUP_ROWS + 3) / (tile_q / GROUP_ROWS + 3)
        costs.append((divide_up(min(length, end), tile_k) + steps) * height)
    return costs


class Shares:
    """Of one shape: heads of a chunk, and the most work over the even share, for each way."""

    def __init__(self, shape, arguments):
        batch, heads, length, dim, tile_q, tile_k = shape
        heads *= batch
        costs = tile_costs(length, tile_q, tile_k, arguments.steps)
        row_bytes = dim + (1 if arguments.fp8 else 2) * dim
        self.fits = min(heads, max(1, arguments.cache // (row_bytes * length)))
        self.fullest = fullest_chunk(heads, self.fits)
        even = sum(costs) * heads / arguments.ctas
        work = {c: [costs[row] for row in tiles_in_order(heads, len(costs), c)] for c in (self.fits, self.fullest)}
        self.in_turn = dealt(work[self.fits], arguments.ctas, False) / even
        self.back_and_forth = dealt(work[self.fits], arguments.ctas, True) / even
        self.drawn = drawn(work[self.fits], arguments.ctas) / even
        self.drawn_fullest = drawn(work[self.fullest], arguments.ctas) / even


def random_shapes(count):
    """The same ones every time; those of more than 2^20 tokens are left out."""
    numbers = random.Random(1)
    for _ in range(count):
        dim, tile_q, tile_k = numbers.choice([(64, 192, 128), (64, 256, 64), (128, 192, 80), (256, 128, 64)])
        length = numbers.choice([512, 1024, 2048, 3000, 4096, 6000, 8192, 16384, 20000])
        heads = numbers.choice([4, 8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 256])
        if length * heads <= 1 << 20:
            yield [1, heads, length, dim, tile_q, tile_k]


def compare_randomly(arguments):
    found = []
    for shape in random_shapes(arguments.random):
        shares = Shares(shape, arguments)
        found.append((shares.drawn_fullest / shares.drawn, shape))
    found.sort()
    mean = sum(ratio for ratio, _ in found) / len(found)
    print(f"{len(found)} random shapes, fullest chunks over those that fit: mean {mean:.4f}")
    for ratio, shape in found[:3] + found[-3:]:
        print(f"{ratio:.3f} {','.join(map(str, shape))}")


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
    parser.add_argument("shapes", nargs="*", type=shape_of, metavar="B,H,S,D,tile_q,tile_k")
    parser.add_argument("--ctas", type=int, default=132, help="that run at once (default: 132)")
    parser.add_argument("--steps", type=float, default=5, help="a tile costs besides its own (default: 5)")
    parser.add_argument("--cache", type=int, default=24 << 20, help="bytes for keys and values (default: 24 MiB)")
    parser.add_argument("--fp8", action="store_true", help="values take a byte, not two")
    parser.add_argument("--random", type=int, metavar="N", help="compare chunks of heads over N random shapes")
    arguments = parser.parse_args()
    if not arguments.shapes and not arguments.random:
        parser.error("name shapes, or --random N")
    if arguments.random is not None and arguments.random < 1:
        parser.error("--random: expected 1 or more")
    if arguments.shapes:
        print(f"{'B,H,S,D,tile_q,tile_k':30} heads that fit   in turn   back and forth   drawn   fullest chunk   drawn")
    for shape in arguments.shapes:
        shares = Shares(shape, arguments)
        print(
            f"{','.join(map(str, shape)):30} {shares.fits:14} {shares.in_turn:9.3f} {shares.back_and_forth:16.3f}"
            f" {shares.drawn:7.3f} {shares.fullest:15} {shares.drawn_fullest:7.3f}"
        )
    if arguments.random:
        compare_randomly(arguments)


if __name__ == "__main__":
    main()
