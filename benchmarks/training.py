"""A whole training step of the face models, by the share of the points, and its memory.

Run it by ``python benchmarks/training.py``; ``--help`` lists the options. A step draws noise and
points, builds the neighbour map, goes forward and backward through the network in bfloat16 where
the machine has it, and updates the weights by AdamW. It is compared with a step on the whole grid,
and with *masked dense*: the same points, the local operator computed by convolving the whole grid
with zeros elsewhere. The times are medians, taken in turns; only the ratios are worth quoting. The
memory is by how much a step raises the peak of a fresh process, as Linux tells it.

Two claims end it, each with a pass or a shortfall: the peak grows along a straight line in the
share of the points, and recomputation at least halves the activations that are kept for the way
back. The exit status is 1 if one falls short.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from timing import Row, in_turns, machine, report, rise, verdicts
from torch import Tensor

from inftydiff.models import recompute_blocks
from inftydiff.operators.local import neighbours
from inftydiff.pipelines import InftyDiff, preset
from inftydiff.training import activation_bytes
from inftydiff.training._objective import Microbatch, TrainingLoss
from inftydiff.training._update import fast_bfloat16

SIDES = (64, 128)
PICTURES = 8
SHARES = (1, 2, 4, 8, 16)
STRAIGHT = 10.0
"""How far from a straight line a peak may be, in per cent of the greatest."""

MEMORY = """
import sys
from training import memory_of_a_step
print(memory_of_a_step(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "recomputed"))
"""


def step(
    side: int, density: int, *, latent: int | None = None, gradient_checkpointing: bool = False
) -> Callable[[], object]:
    """A training step of the face model for pictures of a size, at a share of the points."""
    torch.manual_seed(0)
    config = preset("faces", resolution=side)
    config = replace(config, latent=latent)
    pipeline = InftyDiff(config)
    pipeline.compute_dtype = torch.bfloat16 if fast_bfloat16("cpu") else None
    recompute_blocks(pipeline, gradient_checkpointing)
    objective = TrainingLoss(pipeline, points=1 / density)
    optimiser = torch.optim.AdamW(pipeline.parameters(), lr=1e-3, fused=True)
    pictures: Tensor = torch.rand(PICTURES, 3, side, side) * 2 - 1

    def call() -> None:
        loss = objective(pictures, Microbatch(0, 0, 0, PICTURES)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return call


def masked(call: Callable[[], object]) -> Callable[[], object]:
    """The same step with the local operator computed on the whole grid."""

    def dense() -> object:
        with patch("inftydiff.models.multiscale.neighbours", partial(neighbours, backend="dense")):
            return call()

    return dense


def memory_of_a_step(side: int, density: int, gradient_checkpointing: bool) -> int:
    """By how many bytes a step raises the peak of this process."""
    call = step(side, density, gradient_checkpointing=gradient_checkpointing)
    return 1024 * rise(call, step(16, 4, gradient_checkpointing=gradient_checkpointing))


def activations(side: int, *, gradient_checkpointing: bool) -> int:
    """The bytes that a step at a quarter of the points keeps for its backward pass."""
    dtype = torch.bfloat16 if fast_bfloat16("cpu") else None
    config = preset("faces", resolution=side)
    return activation_bytes(
        config, side, batch=PICTURES, gradient_checkpointing=gradient_checkpointing, dtype=dtype
    )


def peak(side: int, density: int, kind: str) -> float:
    """The same in a fresh process, in MiB."""
    command = [sys.executable, "-c", MEMORY, str(side), str(density), kind]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    return int(printed.stdout) / 2**20


def bend(peaks: dict[str, float]) -> float:
    """How far the peaks are from the straight line that fits them best, in % of the greatest."""
    shares = np.array([1.0 / density for density in SHARES])
    found = np.array([peaks[f"1/{density}"] for density in SHARES])
    line = np.polyval(np.polyfit(shares, found, 1), shares)
    return 100.0 * float(np.abs(found - line).max() / found.max())


def claims(figures: dict[str, Any], side: int) -> list[Row]:
    """What is promised and reported, for the sizes that were measured."""
    rows: list[Row] = []
    for measured, times in figures["times"].items():
        quarter = times["r = 1/4"]
        rows.append((f"{measured}², r = 1/4, against r = 1", times["r = 1"] / quarter, None, "×"))
        dense = times["r = 1/4, masked dense"] / quarter
        rows.append((f"{measured}², r = 1/4, against masked dense", dense, None, "×"))
    peaks, kept = figures["peaks, MiB"], figures["activations, MiB"]
    halved = peaks["1/4"] / peaks["1/4, recomputed"]
    return [
        *rows,
        (f"{side}², peak, farthest from a straight line", bend(peaks), STRAIGHT, "%"),
        (f"{side}², activations, kept over recomputed", kept["kept"] / kept["recomputed"], 2, "×"),
        (f"{side}², peak, kept over recomputed", halved, None, "×"),
    ]


def main() -> int:
    """Run every experiment, print it, and write it down if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(*(f"{name}: {value}" for name, value in machine().items()), sep="\n")
    figures: dict[str, Any] = {"machine": machine(), "batch": PICTURES, "times": {}}
    for side in options.sides:
        calls = {
            f"r = 1/{density}" if density > 1 else "r = 1": step(side, density)
            for density in SHARES
        }
        calls["r = 1/4, masked dense"] = masked(step(side, 4))
        calls["r = 1/4, with an encoder"] = step(side, 4, latent=64)
        calls["r = 1/4, recomputed"] = step(side, 4, gradient_checkpointing=True)
        figures["times"][str(side)] = in_turns(options.runs, **calls)
        title = f"a training step, {side}², batch {PICTURES}"
        report(title, figures["times"][str(side)])
    side = max(options.sides)
    found = {f"1/{density}": peak(side, density, "kept") for density in SHARES}
    found["1/4, recomputed"] = peak(side, 4, "recomputed")
    found["1/1, recomputed"] = peak(side, 1, "recomputed")
    figures["peaks, MiB"] = found
    figures["activations, MiB"] = {
        name: activations(side, gradient_checkpointing=gradient_checkpointing) / 2**20
        for name, gradient_checkpointing in (("kept", False), ("recomputed", True))
    }
    for title in ("peaks, MiB", "activations, MiB"):
        print(f"\n{title}: a step, {side}², batch {PICTURES}")
        for name, size in figures[title].items():
            print(f"  {name:20s} {size:8.0f}")
    good = verdicts(claims(figures, side))
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
