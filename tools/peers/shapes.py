"""Shapes and the work they are, spelled as on sagejit's command line."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Shape:
    batch: int
    heads_q: int
    heads_kv: int
    len_q: int
    len_k: int
    head_dim: int
    head_dim_v: int

    @staticmethod
    def parse(text):
        """B,Hq,Hkv,Lq,Lk,D[,Dv]. Raises ValueError."""
        sizes = [int(part) for part in text.split(",")]
        if len(sizes) not in (6, 7) or min(sizes) < 1:
            raise ValueError(f"{text}: not B,Hq,Hkv,Lq,Lk,D[,Dv] with sizes from 1")
        if sizes[1] % sizes[2]:
            raise ValueError(f"{text}: Hq {sizes[1]} is not a multiple of Hkv {sizes[2]}")
        return Shape(*sizes[:6], sizes[-1])

    @staticmethod
    def from_json(value):
        return Shape(**{field.name: value[field.name] for field in dataclasses.fields(Shape)})

    def text(self):
        sizes = list(dataclasses.astuple(self))
        return ",".join(map(str, sizes if self.head_dim_v != self.head_dim else sizes[:-1]))

    def flops(self, causal):
        """2 operations for each visible pair and channel of Q and V; causal is the top-left mask."""
        pairs = self.len_q * self.len_k
        if causal:
            full = max(0, self.len_q - self.len_k)  # queries that see every key
            rest = self.len_q - full
            pairs = full * self.len_k + rest * (rest + 1) // 2
        return 2 * self.batch * self.heads_q * pairs * (self.head_dim + self.head_dim_v)

    def input_bytes(self):
        q = self.heads_q * self.len_q * self.head_dim
        kv = self.heads_kv * self.len_k * (self.head_dim + self.head_dim_v)
        return 2 * self.batch * (q + kv)


def square(batch, heads, length, head_dim):
    return Shape(batch, heads, heads, length, length, head_dim, head_dim)


# The seed's problem, then sizes from 16k tokens in total to long single sequences.
DEFAULT = [
    square(1, 16, 2560, 64),
    square(16, 32, 1024, 64),
    square(4, 32, 4096, 64),
    square(1, 32, 16384, 64),
    square(1, 32, 32768, 64),
    square(16, 16, 1024, 128),
    square(4, 16, 4096, 128),
    square(1, 16, 16384, 128),
    square(1, 16, 32768, 128),
    square(4, 32, 16384, 128),
    square(1, 8, 16384, 256),
]
QUICK = [square(1, 16, 2560, 64), square(4, 16, 4096, 128), square(1, 16, 16384, 128)]
