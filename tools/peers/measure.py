"""One row for each peer, dtype, shape and mask; a peer that cannot run gives a row that says why."""

import subprocess
import time

from . import implementations, timing
from .implementations import Problem, Skip

MOST_SETS = 16
SHARE_OF_MEMORY = 0.6


def utc_now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def gpu_state():
    """Clocks and power as nvidia-smi tells them, or None."""
    fields = ["clocks.sm", "clocks.mem", "power.draw", "temperature.gpu"]
    names = ["sm_clock_mhz", "memory_clock_mhz", "power_w", "temperature_c"]
    query = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits", "-i", "0"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
        return dict(zip(names, map(float, output.splitlines()[0].split(","))))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def nvidia_driver():
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader", "-i", "0"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
        return output.splitlines()[0].strip()
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


class PeerBench:
    """Holds torch, where there is one, and what rows say of the machine."""

    def __init__(self, measure_ms, rest=0, seed=0):
        self.measure_ms, self.rest, self.seed = measure_ms, rest, seed
        self.torch, self.problem = None, ""
        self.machine = {"device_name": None, "driver": None, "torch": None}
        try:
            self.torch = implementations.load("torch")
        except Skip as skip:
            self.problem = str(skip)
            return
        self.machine["torch"] = str(self.torch.__version__)
        if not self.torch.cuda.is_available():
            self.problem = "torch sees no GPU"
            return
        self.machine["device_name"] = self.torch.cuda.get_device_name(0)
        self.machine["driver"] = nvidia_driver()

    def sets(self, shape):
        """Input sets that the L2 cache does not hold, as many as fit into memory."""
        properties = self.torch.cuda.get_device_properties(0)
        cache = getattr(properties, "L2_cache_size", 64 << 20)
        output = 2 * shape.batch * shape.heads_q * shape.len_q * shape.head_dim_v
        free, _ = self.torch.cuda.mem_get_info()
        # Twice the inputs: a peer may keep them in a layout of its own.
        room = int(SHARE_OF_MEMORY * free) // (2 * shape.input_bytes() + output)
        if room < 2:
            raise Skip("two input sets do not fit into the GPU's memory")
        return min(room, MOST_SETS, max(2, 2 * cache // shape.input_bytes() + 1))

    def operands(self, shape, dtype, count):
        torch = self.torch
        generator = torch.Generator(device="cuda").manual_seed(self.seed)
        kind = {"fp16": torch.float16, "bf16": torch.bfloat16}[dtype]

        def draw(heads, length, dim):
            size = (shape.batch, heads, length, dim)
            return torch.randn(size, generator=generator, device="cuda", dtype=kind)

        return [
            (
                draw(shape.heads_q, shape.len_q, shape.head_dim),
                draw(shape.heads_kv, shape.len_k, shape.head_dim),
                draw(shape.heads_kv, shape.len_k, shape.head_dim_v),
            )
            for _ in range(count)
        ]

    def measure(self, peer, problem):
        """The measured part of a row. Raises whatever the library raises."""
        if self.problem:
            raise Skip(self.problem)
        torch = self.torch
        with torch.no_grad():
            call = peer.make(problem)
            count = self.sets(problem.shape)
            sets = [call.prepare(*qkv) for qkv in self.operands(problem.shape, problem.dtype, count)]
            call.run(*sets[0])
            torch.cuda.synchronize()
            samples, launches = timing.time_launches(
                torch, lambda i: call.run(*sets[i % count]), self.measure_ms, self.rest
            )
        summary = timing.summarize(samples)
        return {
            "version": call.version,
            "rotate": count,
            "rest_s": self.rest,
            **summary,
            "launches_per_sample": launches,
            "tflops": problem.shape.flops(problem.causal) / summary["median_ms"] * 1e-9,
            "gpu": gpu_state(),
        }

    def row(self, peer, shape, causal, dtype, turn):
        row = {
            "schema_version": 1,
            "kind": "peer",
            "time": utc_now(),
            "peer": peer.name,
            "dtype": dtype,
            "causal": causal,
            "kernel_alone": peer.kernel_alone,
            "turn": turn,
            "shape": vars(shape).copy(),
            "flops": shape.flops(causal),
            **self.machine,
        }
        try:
            return {**row, **self.measure(peer, Problem(shape, causal, dtype))}
        except Skip as skip:
            return {**row, "skipped": str(skip)}
        except Exception as error:  # whatever a peer does, the others go on
            text = " ".join(str(error).split())[:300]
            return {**row, "skipped": f"{type(error).__name__}: {text}"}
        finally:
            self.free()

    def free(self):
        """Gives the GPU's memory back, for sagejit's process."""
        if self.torch is not None and not self.problem:
            try:
                self.torch.cuda.empty_cache()
            except Exception:  # a peer has broken the context; its row says so
                self.problem = "the CUDA context was lost by an earlier peer"
