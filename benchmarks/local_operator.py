"""Milliseconds of the local operator beside those of a dense depthwise convolution, in one run.

Run it by ``python benchmarks/local_operator.py``; ``--help`` lists the options. The figures are
medians, taken in turns with those they are compared to, since a busy machine moves both; only the
ratios are worth quoting. Tensors of 32 MiB and more are mapped afresh by every operation; what they
cost without that is seen under
``GLIBC_TUNABLES=glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184``.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor

from inftydiff import Grid, random_subset
from inftydiff.operators.local import local_operator, neighbours

SIZE = 7
CELL = 1 / 64
DENSITIES = (1, 2, 4, 8, 16)


def in_turns(runs: int, **candidates: Callable[[], object]) -> dict[str, float]:
    """Median milliseconds of each candidate, one call of each after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(runs + 2):
        for name, call in candidates.items():
            start = perf_counter()
            call()
            if turn >= 2:
                seconds[name].append(perf_counter() - start)
    return {name: 1e3 * median(taken) for name, taken in seconds.items()}


def dense(values: Tensor, table: Tensor) -> Tensor:
    """The depthwise convolution of torch, channels last."""
    padding = SIZE // 2
    return F.conv2d(values, table.unsqueeze(1), padding=padding, groups=len(table))


def both_ways(apply: Callable[..., Tensor], *inputs: Tensor) -> Callable[[], object]:
    """A call that applies a function and takes the gradients in its inputs."""
    inputs = tuple(x.detach().requires_grad_() for x in inputs)
    along = torch.randn_like(apply(*inputs))
    return lambda: torch.autograd.grad(apply(*inputs), inputs, along)


def training(batch: int, side: int, channels: int, runs: int) -> dict[str, float]:
    """Forward and backward on subsets of a grid, and of the convolution on all of it."""
    grid = Grid((side, side))
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(channels, SIZE, SIZE)
    plane = torch.randn(batch, side, side, channels).movedim(-1, 1)
    calls = {"dense depthwise, r = 1": both_ways(dense, plane, table)}
    for density in DENSITIES:
        size = grid.size // density
        subset = random_subset(grid, size, batch=batch, generator=generator)
        near = neighbours(subset, size=SIZE, cell=1 / side)
        values = torch.randn(batch, size, channels)
        calls[f"r = 1/{density}"] = both_ways(
            lambda v, w, near=near: local_operator(v, w, near), values, table
        )
        calls[f"r = 1/{density}, its map"] = lambda subset=subset: neighbours(
            subset, size=SIZE, cell=1 / side
        )
    return in_turns(runs, **calls)


@torch.no_grad()
def sampling(batch: int, side: int, channels: int, runs: int) -> dict[str, float]:
    """Forward on a whole grid with the kernel of a 64² grid, and the convolution of that grid."""
    near = neighbours(Grid((side, side)), size=SIZE, cell=CELL)
    values, table = torch.randn(batch, side * side, channels), torch.randn(channels, SIZE, SIZE)
    plane = values.unflatten(1, (side, side)).movedim(-1, 1)
    return in_turns(
        runs,
        **{
            "dense depthwise": lambda: dense(plane, table),
            "local operator": lambda: local_operator(values, table, near),
        },
    )


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
        print(f"  {name:26s} {milliseconds:8.2f} ms   {base / milliseconds:6.2f} ×")


def main() -> None:
    """Run every experiment, print it, and write it down if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--channels", type=int, nargs="+", default=[48, 64])
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(*(f"{name}: {value}" for name, value in machine().items()), sep="\n")
    figures: dict[str, object] = {"machine": machine()}
    for channels in options.channels:
        title = f"forward + backward, batch 16, 64², {channels} channels"
        figures[title] = training(16, 64, channels, options.runs)
        report(title, figures[title])
        for side in options.sides:
            title = f"forward, batch 4, {side}², {channels} channels"
            figures[title] = sampling(4, side, channels, options.runs)
            report(title, figures[title])
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
