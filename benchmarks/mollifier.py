"""Milliseconds of the mollifier beside those of a dense-matrix cosine transform, and its memory.

Run it by ``python benchmarks/mollifier.py``; ``--help`` lists the options. The times are medians of
forward and backward, taken in turns with those they are compared to, since a busy machine moves
both; only the ratios are worth quoting. The rival has two N × N matrices and the multiplier, worked
out beforehand. The memory is by how much forward and backward raise the peak of a fresh process, as
Linux tells it.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from timing import both_ways, in_turns, machine, report
from torch import Tensor

from inftydiff import Box, Function, Grid, gaussian_mollifier
from inftydiff.operators.domain import BOUNDARIES

CHANNELS = 3
WIDTH = 1 / 64
LARGE = 2000
"""On larger sides the matrices take minutes: half the runs, of one call, and none to warm up."""

MEMORY = """
import re, sys
from pathlib import Path
import torch
from mollifier import CHANNELS, ours

def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

def rise(side):
    x = torch.ones(1, CHANNELS, side, side, requires_grad=True)
    along = torch.ones_like(x)
    before = kilobytes("VmRSS")
    torch.autograd.grad(ours("reflecting")(x), x, along)
    return kilobytes("VmHWM") - before

rise(32)
print(1024 * rise(int(sys.argv[1])))
"""


def ours(boundary: str):
    """The mollifier on pictures of the unit box, channels first."""
    T, box = gaussian_mollifier(WIDTH), Box((1.0, 1.0), boundary)

    def mollified(image: Tensor) -> Tensor:
        return T(Function(Grid(tuple(image.shape[2:]), box), image.flatten(2).mT)).to_image()

    return mollified


def dense(side: int):
    """The same on a reflecting box by matrix products along both axes, there and back."""
    k = torch.arange(side, dtype=torch.float64)
    there = torch.cos(math.pi * k[:, None] * (k + 0.5) / side) * math.sqrt(2.0 / side)
    there[0] *= math.sqrt(0.5)
    decay = (-0.5 * (math.pi * WIDTH * k) ** 2).exp()
    factors = torch.outer(decay, decay).float()
    there, back = there.float(), there.mT.float().contiguous()
    return lambda image: back @ (factors * (there @ image @ back)) @ there


def times(side: int, runs: int) -> dict[str, float]:
    """Forward and backward for every boundary, and of the dense transform."""
    image = torch.randn(1, CHANNELS, side, side, generator=torch.Generator().manual_seed(0))
    rival, own = dense(side), ours("reflecting")
    torch.testing.assert_close(own(image), rival(image), rtol=0, atol=1e-4)
    calls = {"dense cosine matrices": both_ways(rival, image)}
    for boundary in BOUNDARIES:
        calls[f"mollifier, {boundary}"] = both_ways(ours(boundary), image)
    if side > LARGE:
        return single_calls(max(1, runs // 2), **calls)
    return in_turns(runs, **calls)


def single_calls(runs: int, **candidates: Callable[[], object]) -> dict[str, float]:
    """Median milliseconds of each candidate, one call of each after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(runs):
        for name, call in candidates.items():
            start = perf_counter()
            call()
            seconds[name].append(perf_counter() - start)
    return {name: 1e3 * median(taken) for name, taken in seconds.items()}


def memory(side: int) -> int:
    """How many bytes a fresh process takes for forward and backward, beyond the input."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", MEMORY, str(side)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=here).stdout
    return int(output)


def main() -> None:
    """Run every experiment, print it, and write it down if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 1024, 4096])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(*(f"{name}: {value}" for name, value in machine().items()), sep="\n")
    figures: dict[str, object] = {"machine": machine()}
    for side in options.sides:
        title = f"forward + backward, {side}² × {CHANNELS}, float32"
        figures[title] = times(side, options.runs)
        report(title, figures[title])
    title = "memory of forward + backward, in sizes of the input"
    print(f"\n{title}")
    sizes = {side: memory(side) / (4 * CHANNELS * side**2) for side in options.sides}
    figures[title] = sizes
    for side, size in sizes.items():
        print(f"  {side:4d}²   {size:5.1f}   ({4e-6 * CHANNELS * side**2 * size:.0f} MB)")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
