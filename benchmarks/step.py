"""Blocks, training steps and large grids: what the local operator leaves of a network's time.

Run it by ``python benchmarks/step.py``; ``--help`` lists the options. The times are medians, taken
in turns; only the ratios are worth quoting. A block is compared with itself on the whole grid, its
local operator replaced by torch's own depthwise convolution, in processes of its own and under both
settings of the allocator; a training step of the 64² face model at a quarter of the points with one
at all of them.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from timing import (
    BATCH,
    CHANNELS,
    KEPT,
    SIZE,
    Row,
    Times,
    dense,
    in_turns,
    machine,
    report,
    subset_of,
    verdicts,
)
from torch import Tensor

from inftydiff import Function, Grid, NoisePrediction, as_denoiser, denoising_loss, random_subset
from inftydiff.models import MultiscaleNetwork, faces_64
from inftydiff.models.local import LocalBlock
from inftydiff.operators.local import Neighbours, neighbours
from inftydiff.pipelines import InftyDiff, preset

BLOCK = 128
FACES, PICTURES = 64, 8

BLOCK_TIMES = """
import json, sys
import torch
from step import BLOCK, block_times

torch.set_num_threads(int(sys.argv[1]))
print(json.dumps(block_times(BLOCK, int(sys.argv[2]))))
"""

FORWARD = """
import statistics, sys, time
import torch
from inftydiff import Function, Grid
from inftydiff.models import MultiscaleNetwork, faces_64
from timing import kilobytes

side = int(sys.argv[1])
torch.set_num_threads(int(sys.argv[2]))
network = MultiscaleNetwork(faces_64(), 3)
with torch.no_grad():
    network(Function(Grid((64, 64)), torch.randn(1, 64**2, 3)), torch.tensor([0.5]))
    x = Function(Grid((side, side)), torch.randn(1, side * side, 3))
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        network(x, torch.tensor([0.5]))
        seconds.append(time.perf_counter() - start)
print(statistics.median(seconds), kilobytes("VmHWM") / 2**20)
"""


def block_times(side: int, runs: int) -> Times:
    """Forward and backward of one block, all its parameters included, by both methods."""
    block = LocalBlock(CHANNELS, 128, size=SIZE)
    embedding = torch.randn(BATCH, 128)
    parameters = list(block.parameters())

    def by_torch(values: Tensor, table: Tensor, near: Neighbours) -> Tensor:
        plane = values.unflatten(1, (side, side)).movedim(-1, 1)
        return dense(plane, table).movedim(1, -1).flatten(1, 2) / SIZE**2

    def call(on: Any, dense_operator: bool) -> Callable[[], object]:
        near = neighbours(on, size=SIZE, cell=1 / side)
        x = torch.randn(BATCH, on.size, CHANNELS, requires_grad=True)
        along = torch.randn(BATCH, on.size, CHANNELS)

        def run() -> object:
            return torch.autograd.grad(block(x, embedding, near), [x, *parameters], along)

        def replaced() -> object:
            with patch("inftydiff.models.local.local_operator", by_torch):
                return run()

        return replaced if dense_operator else run

    grid = Grid((side, side))
    calls = {"dense": call(grid, True), "r = 1": call(grid, False)}
    for density in (4, 8, 16):
        calls[f"r = 1/{density}"] = call(subset_of(side, density), False)
    return {
        "bursts": in_turns(runs, **calls),
        "single calls": in_turns(runs, single=True, **calls),
    }


def fresh(script: str, *words: object, **environment: str) -> str:
    """What a script prints in a fresh process, whose heap no other experiment has shaped."""
    printed = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
        env=os.environ | environment,
    )
    return printed.stdout


def fresh_block_times(runs: int, **environment: str) -> Times:
    """The times of a block, in a fresh process."""
    found: Times = json.loads(fresh(BLOCK_TIMES, torch.get_num_threads(), runs, **environment))
    return found


def training_step(density: int) -> Callable[[], object]:
    """A step of AdamW on the face model, in bfloat16, with noise, subset and neighbour map."""
    torch.manual_seed(0)
    pipeline = InftyDiff(preset("faces"))
    network, process = pipeline.network, pipeline.process
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    grid = Grid((FACES, FACES))
    x0 = Function(grid, torch.randn(PICTURES, grid.size, 3))
    generator = torch.Generator().manual_seed(0)

    def step() -> None:
        at = None
        if density > 1:
            at = random_subset(grid, grid.size // density, batch=PICTURES, generator=generator)
        t = torch.rand(PICTURES, generator=generator)
        with torch.autocast("cpu", torch.bfloat16):
            loss = denoising_loss(
                as_denoiser(process, network, predict=NoisePrediction()),
                x0,
                t,
                at=at,
                generator=generator,
            )
        optimiser.zero_grad()
        loss.mean().backward()
        optimiser.step()

    return step


def unet_share() -> Callable[[], object]:
    """Forward and backward of the U-Net of the face model alone, in bfloat16."""
    network = MultiscaleNetwork(faces_64(), 3)
    config = network.config
    shape = (PICTURES, *config.grid, config.grid_channels)
    cells = torch.randn(shape, requires_grad=True)
    embedding = torch.randn(PICTURES, config.embedding)
    parameters = [p for p in network.unet.parameters() if p.requires_grad]
    along = torch.randn(shape).movedim(-1, 1)

    def call() -> object:
        with torch.autocast("cpu", torch.bfloat16):
            image = network.unet(cells.movedim(-1, 1), embedding)
        return torch.autograd.grad(image, [cells, *parameters], along.to(image), allow_unused=True)

    return call


def forward_on(side: int, **environment: str) -> dict[str, float]:
    """Seconds and GiB of a forward pass of the face model on a grid, in a fresh process.

    The seconds are the median of three passes, of which the first asks the system for the memory.
    """
    printed = fresh(FORWARD, side, torch.get_num_threads(), **environment)
    seconds, gibibytes = map(float, re.findall(r"[\d.e-]+", printed))
    return {"seconds": seconds, "GiB": gibibytes}


def steps(runs: int) -> dict[str, Any]:
    """Measure and print everything."""
    found: dict[str, Any] = {}
    title = f"a sparse block, batch {BATCH}, {BLOCK}², {CHANNELS} channels"
    settings: dict[str, dict[str, str]] = {"": {}, ", memory kept": {"GLIBC_TUNABLES": KEPT}}
    for setting, environment in settings.items():
        times = fresh_block_times(runs, **environment)
        for method, suffix in (("bursts", ""), ("single calls", ", single calls")):
            found[f"block{suffix}{setting}"] = times[method]
            report(f"{title}{setting}, {method}", times[method])
    calls = {"r = 1": training_step(1)}
    calls |= {f"r = 1/{density}": training_step(density) for density in (2, 4, 8)}
    found["training"] = in_turns(runs, **calls, **{"U-Net alone": unet_share()})
    report(f"a training step of the face model, {FACES}², batch {PICTURES}", found["training"])
    for setting, environment in settings.items():
        passes = {str(side): forward_on(side, **environment) for side in (512, 1024, 2048)}
        found[f"forward{setting}"] = passes
        print(f"\none forward pass of the face model{setting}")
        for side, figures in passes.items():
            rate = 1e6 * figures["seconds"] / int(side) ** 2
            print(
                f"  {side:>4}²  {figures['seconds']:6.1f} s  {rate:5.1f} µs a point"
                f"  {figures['GiB']:5.2f} GiB"
            )
    return found


def claims_of_steps(found: dict[str, Any]) -> list[Row]:
    """The rows of the table that are about more than the operator."""
    training = found["training"]
    growth = {
        setting: found[f"forward{setting}"]["2048"]["seconds"]
        / (4 * found[f"forward{setting}"]["1024"]["seconds"])
        for setting in ("", ", memory kept")
    }
    blocks: list[Row] = []
    for suffix in ("", ", single calls", ", memory kept", ", single calls, memory kept"):
        times = found[f"block{suffix}"]
        for density, least in ((4, 6), (8, 12)):
            name = f"r = 1/{density}"
            asked = None if suffix.endswith("kept") else least
            label = f"a block at {BLOCK}², {name}{suffix}"
            blocks.append((label, times["dense"] / times[name], asked, "×"))
    return [
        *blocks,
        ("a training step, r = 1/4", training["r = 1"] / training["r = 1/4"], None, "×"),
        ("a forward pass on 2048²", found["forward"]["2048"]["GiB"], 8, "GiB"),
        *(
            (f"its time a point over that on 1024²{setting}", value, 1.3, "")
            for setting, value in growth.items()
        ),
    ]


def main() -> None:
    """Run every experiment, print it, and write it down if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(*(f"{name}: {value}" for name, value in machine().items()), sep="\n")
    found = steps(options.runs)
    verdicts(claims_of_steps(found))
    if options.json is not None:
        figures = {"machine": machine(), **found}
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
