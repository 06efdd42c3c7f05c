"""Timing with torch's events, by the method of sagejit bench (docs/benchmarks/README.md)."""

import math
import statistics
import time

WARMUP_MS = 100
SAMPLE_MS = 2  # of launches back to back
SAMPLES_IN_FLIGHT = 8
MOST_LAUNCHES = 256
MIN_SAMPLES, MAX_SAMPLES = 10, 1000
MAX_RESTS = 20  # samples with a rest before each


def summarize(samples):
    """Median and quartiles, interpolated between neighbours, as sagejit bench computes them."""
    ordered = sorted(samples)

    def quantile(share):
        position = share * (len(ordered) - 1)
        below = math.floor(position)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (position - below) * (ordered[above] - ordered[below])

    return {
        "median_ms": quantile(0.5),
        "q1_ms": quantile(0.25),
        "q3_ms": quantile(0.75),
        "min_ms": ordered[0],
        "max_ms": ordered[-1],
        "samples": len(ordered),
    }


def time_launches(torch, launch, measure_ms, rest=0):
    """Milliseconds of one launch(i), as a list of samples, and the launches in each.

    rest: seconds for which the GPU is idle before each sample."""
    counter = 0

    def sample(count, launches, lead, rest=0):
        nonlocal counter
        result = []
        while len(result) < count:
            batch = 1 if rest else min(SAMPLES_IN_FLIGHT, count - len(result))
            if rest:
                time.sleep(rest)
            if lead:  # so that the first event is recorded while the stream is busy
                launch(counter)
                counter += 1
            events = []
            for _ in range(batch):
                start = torch.cuda.Event(enable_timing=True)
                stop = torch.cuda.Event(enable_timing=True)
                start.record()
                for _ in range(launches):
                    launch(counter)
                    counter += 1
                stop.record()
                events.append((start, stop))
            torch.cuda.synchronize()
            result += [start.elapsed_time(stop) / launches for start, stop in events]
        return result

    spent, launches, one = 0.0, 1, 0.0
    while spent < WARMUP_MS:
        one = statistics.median(sample(1, launches, False))
        spent += max(one * launches, 1e-3)
        launches = min(MOST_LAUNCHES, 2 * launches)
    launches = min(MOST_LAUNCHES, max(1, math.ceil(SAMPLE_MS / max(one, 1e-4))))
    count = math.ceil(measure_ms / max(one * launches, 1e-4))
    most = MAX_RESTS if rest else MAX_SAMPLES
    return sample(min(most, max(MIN_SAMPLES, count)), launches, True, rest), launches
