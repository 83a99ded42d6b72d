"""What the benchmarks share: times taken in turns, memory at its peak, the machine, the verdicts.

A turn is a burst of calls, the first of which are not counted: they find the caches and the heap as
another candidate has left them.
"""

import ctypes
import gc
import os
import platform
import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor

from inftydiff import Grid, Subset, random_subset

SIZE = 7

BATCH, CHANNELS = 4, 64

WARM, LEAST, MOST, BURST = 2, 2, 20, 0.03
"""The calls of a burst that are not counted, the fewest and the most that are, and its seconds."""

SINGLE = 4
"""How many turns of single calls there are for one of bursts."""

KEPT = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"
"""The setting under which the allocator asks for no memory twice."""


def in_turns(
    runs: int, *, single: bool = False, **candidates: Callable[[], object]
) -> dict[str, float]:
    """Median milliseconds of each candidate, a burst of calls of each, or one, after the other."""
    warm, least, most = (0, 1, 1) if single else (WARM, LEAST, MOST)
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(runs * SINGLE if single else runs):
        for name, call in candidates.items():
            for _ in range(warm):
                call()
            begin = perf_counter()
            for number in range(most):
                start = perf_counter()
                if number >= least and start - begin > BURST:
                    break
                call()
                seconds[name].append(perf_counter() - start)
    return {name: 1e3 * median(taken) for name, taken in seconds.items()}


def dense(values: Tensor, table: Tensor) -> Tensor:
    """The depthwise convolution of torch on images."""
    return F.conv2d(values, table.unsqueeze(1), padding=SIZE // 2, groups=len(table))


def both_ways(apply: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], object]:
    """A call that applies a function and takes the gradients in its inputs."""
    inputs = tuple(x.detach().requires_grad_() for x in inputs)
    along = torch.randn_like(apply(*inputs))
    return lambda: torch.autograd.grad(apply(*inputs), inputs, along)


def subset_of(side: int, density: int) -> Subset:
    """One random subset for each sample of the batch."""
    grid = Grid((side, side))
    generator = torch.Generator().manual_seed(0)
    return random_subset(grid, grid.size // density, batch=BATCH, generator=generator)


Times = dict[str, dict[str, float]]
"""Milliseconds by size, or by method, and by candidate."""


def kilobytes(name: str) -> int:
    """A line of what Linux says of this process's memory."""
    status = Path("/proc/self/status").read_text()
    found = re.search(name + r":\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


def rise(call: Callable[[], object], small: Callable[[], object]) -> int:
    """By how many kilobytes a call raises this process's memory at its peak, the heap trimmed."""
    small()
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
    before = kilobytes("VmRSS")
    call()
    return kilobytes("VmHWM") - before


def machine() -> dict[str, str | int]:
    """What the figures were taken on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load": f"{os.getloadavg()[0]:.1f}",
        "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", ""),
    }


def report(title: str, times: dict[str, float]) -> None:
    """Print the times of one experiment, and their ratios to the first."""
    base = next(iter(times.values()))
    print(f"\n{title}")
    for name, milliseconds in times.items():
        print(f"  {name:26s} {milliseconds:9.2f} ms   {base / milliseconds:6.2f} ×")


Row = tuple[str, float | None, float | None, str]
"""What is promised, what was found (if it was), what was asked for (if anything was), the unit."""


def verdicts(rows: list[Row]) -> bool:
    """Print each claim with a pass or a shortfall, and return whether none falls short."""
    print("\nClaims")
    every = True
    for label, found, asked, unit in rows:
        if found is None:
            print(f"  {label:57s} not measured")
            continue
        value = f"  {label:57s} {found:8.1f} {unit:3s}"
        if asked is None:
            print(f"{value} (report)")
            continue
        good = found >= asked if unit == "×" else found <= asked
        every = every and good
        verdict = "pass" if good else "shortfall"
        print(f"{value} ({'≥' if unit == '×' else '≤'} {asked:g})   {verdict}")
    return every
