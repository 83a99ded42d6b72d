"""The local operator beside dense, masked and other sparse convolutions, each row with its claim.

Run it by ``python benchmarks/local_operator.py``; ``--help`` lists the options. The times are
medians, taken in turns with those they are compared to, since a busy machine moves both; only the
ratios are worth quoting. A turn is a burst of calls, the first of which are not counted: they find
the caches and the heap as another candidate has left them. What is claimed is also measured by
turns of a single call, each of which finds them so. The base is torch's own depthwise
convolution, channels last, on the whole grid. Tensors of 32 MiB and more are mapped afresh by every
operation: the first experiment is therefore repeated in a process whose allocator keeps its memory.
The floor of the roofline is the time in which the values, the image and their gradients can be
moved through memory once, at the rate of a copy. ``benchmarks/step.py`` measures blocks, training
steps and large grids, and is run from here too.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from step import claims_of_steps, steps
from timing import (
    BATCH,
    CHANNELS,
    KEPT,
    SIZE,
    Row,
    Times,
    both_ways,
    dense,
    in_turns,
    machine,
    report,
    subset_of,
    verdicts,
)
from torch import Tensor

from inftydiff import Grid, Subset
from inftydiff.operators.local import Neighbours, local_operator, neighbours

DENSITIES = (1, 2, 4, 8, 16)
RIVALS = (2, 4, 8, 16)

CLAIMED = ("dense", "1/1", "1/4", "1/8", "1/16", "1/4 minkowski", "1/4 map")
"""What is measured by single calls too."""

MEMORY = """
import sys
import torch
from local_operator import quarter
from timing import rise
print(1024 * rise(*quarter(int(sys.argv[1]), sys.argv[2])))
"""


def masked(subset: Subset, near: Neighbours) -> Callable[[Tensor, Tensor], Tensor]:
    """The same on a subset: put on the whole grid, convolved, read at the points, divided."""
    side = subset.grid.shape[0]
    where = subset.index.unsqueeze(-1)
    mass = near.mass.float().unsqueeze(-1)

    def apply(values: Tensor, table: Tensor) -> Tensor:
        index = where.expand_as(values)
        plane = values.new_zeros(len(values), side * side, values.shape[-1])
        plane = plane.scatter(1, index, values).unflatten(1, (side, side)).movedim(-1, 1)
        image = dense(plane, table.flip(1, 2)).movedim(1, -1).flatten(1, 2)
        return image.gather(1, index) / mass

    return apply


def minkowski(subset: Subset, near: Neighbours) -> Callable[[Tensor, Tensor], Tensor]:
    """The same by MinkowskiEngine's channelwise convolution; its map is kept by the coordinates."""
    import MinkowskiEngine as ME

    side = subset.grid.shape[0]
    number = torch.arange(len(subset.index)).unsqueeze(-1).expand_as(subset.index)
    cells = torch.stack([number, subset.index // side, subset.index % side], -1)
    manager = ME.CoordinateManager(D=2)
    key, _ = manager.insert_and_map(cells.flatten(0, 1).int())
    layer = ME.MinkowskiChannelwiseConvolution(CHANNELS, SIZE, dimension=2)
    mass = near.mass.float().reshape(-1, 1)

    def apply(values: Tensor, table: Tensor) -> Tensor:
        del layer.kernel
        layer.kernel = table.flip(1, 2).mT.flatten(1).T
        points = ME.SparseTensor(
            values.flatten(0, 1), coordinate_map_key=key, coordinate_manager=manager
        )
        return (layer(points).F / mass).view(values.shape)

    return apply


def rivals_of(
    on: Subset, near: Neighbours, side: int
) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """The same operator at some points of a grid, by other means."""
    torchs = neighbours(on, size=SIZE, cell=1 / side, backend="torch")
    found = {
        "masked": masked(on, near),
        "torch": lambda values, table: local_operator(values, table, torchs),
    }
    if find_spec("MinkowskiEngine") is not None:
        found["minkowski"] = minkowski(on, near)
    return found


def experiment(side: int, runs: int, rivals: bool) -> Times:
    """The operator at every density, its map, its forward pass alone, and its rivals."""
    table = torch.randn(CHANNELS, SIZE, SIZE)
    plane = torch.randn(BATCH, side, side, CHANNELS).movedim(-1, 1)
    calls = {"dense": both_ways(dense, plane, table), "dense forward": lambda: dense(plane, table)}
    for density in DENSITIES:
        on = Grid((side, side)) if density == 1 else subset_of(side, density)
        near = neighbours(on, size=SIZE, cell=1 / side)
        values = torch.randn(BATCH, on.size, CHANNELS)

        def apply(values: Tensor, table: Tensor, near: Neighbours = near) -> Tensor:
            return local_operator(values, table, near)

        name = f"1/{density}"
        calls[name] = both_ways(apply, values, table)
        calls[f"{name} forward"] = lambda a=apply, v=values: a(v, table)
        calls[f"{name} map"] = lambda on=on: neighbours(on, size=SIZE, cell=1 / side)
        if rivals and density in RIVALS:
            for rival, other in rivals_of(on, near, side).items():
                torch.testing.assert_close(
                    other(values, table), apply(values, table), rtol=1e-3, atol=1e-3
                )
                calls[f"{name} {rival}"] = both_ways(other, values, table)
    claimed = {name: calls[name] for name in CLAIMED if name in calls}
    return {
        "bursts": in_turns(runs, **calls),
        "single calls": in_turns(runs, single=True, **claimed),
    }


def quarter(side: int, kind: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """Forward and backward at a quarter of the points, and of a small grid, in one of the ways."""
    calls = []
    for n in (side, 16):
        on, table = subset_of(n, 4), torch.randn(CHANNELS, SIZE, SIZE)
        near = neighbours(on, size=SIZE, cell=1 / n, backend=None if kind != "torch" else "torch")
        values = torch.randn(BATCH, on.size, CHANNELS)
        apply = (
            masked(on, near) if kind == "masked" else lambda v, w, m=near: local_operator(v, w, m)
        )
        leaves = values.requires_grad_(), table.requires_grad_()
        along = torch.ones_like(values)

        def call(apply: Any = apply, leaves: Any = leaves, along: Tensor = along) -> object:
            return torch.autograd.grad(apply(*leaves), leaves, along)

        calls.append(call)
    return calls[0], calls[1]


def memory(side: int) -> dict[str, float]:
    """The peak of forward and backward at a quarter of the points, in MiB, each a fresh process."""
    found = {}
    for kind in ("local operator", "torch", "masked"):
        command = [sys.executable, "-c", MEMORY, str(side), kind]
        printed = subprocess.run(
            command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent
        )
        found[kind] = int(printed.stdout) / 2**20
    return found


def bandwidth() -> float:
    """Bytes a second that a copy moves, read and written."""
    source = torch.randn(2**25)
    target = torch.empty_like(source)
    milliseconds = in_turns(7, copy=lambda: target.copy_(source))["copy"]
    return 2 * source.nbytes / (1e-3 * milliseconds)


def claims(figures: dict[str, Any]) -> list[Row]:
    """The rows of the table, for the sizes that were measured."""

    def factor(times: dict[str, float], name: str, base: str = "dense") -> float | None:
        return times[base] / times[name] if base in times else None

    rows: list[Row] = []
    settings = {
        "": figures["times"],
        ", memory kept": figures["memory kept"],
        ", single calls": figures["single calls"],
        ", single calls, memory kept": figures["single calls, memory kept"],
    }
    for side, density, least in (("256", 4, 25), ("256", 8, 80), ("128", 4, 20)):
        for setting, times in settings.items():
            if side in times:
                name = f"1/{density}"
                label = f"{side}², r = {name}, against dense{setting}"
                rows.append((label, factor(times[side], name), least, "×"))
    for setting, times in settings.items():
        for side, found in times.items():
            label = f"{side}², r = 1, against dense{setting}"
            rows.append((label, factor(found, "1/1"), 1, "×"))
    for setting in ("", ", single calls"):
        for side, found in settings[setting].items():
            ratio = factor(found, "1/4", "1/4 minkowski")
            rows.append((f"{side}², r = 1/4, against MinkowskiEngine{setting}", ratio, 100, "×"))
        if "256" in settings[setting]:
            operator = factor(settings[setting]["256"], "1/4 map", "1/4")
            rows.append((f"256², r = 1/4, operator over map{setting}", operator, 1, "×"))
    if "memory" in figures:
        most = figures["memory"]["local operator"]
        rows.append(("256², r = 1/4, memory", most, 90, "MiB"))
    return rows


def roofline(times: Times) -> dict[str, float]:
    """The share of the time that memory alone would need, by size and density."""
    rate = bandwidth()
    shares = {}
    for side, found in times.items():
        for density in RIVALS:
            values = 4 * BATCH * int(side) ** 2 // density * CHANNELS
            shares[f"{side}², r = 1/{density}"] = 5e3 * values / rate / found[f"1/{density}"]
    return shares


def draw(times: Times, path: Path) -> None:
    """The factors over the dense convolution, by density, a line a size."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for side, found in times.items():
        ratios = [found["dense"] / found[f"1/{density}"] for density in DENSITIES]
        axes.loglog(DENSITIES, ratios, "o-", base=2, label=f"{side}²")
    side, found = list(times.items())[-1]
    if f"1/{RIVALS[0]} masked" in found:
        ratios = [found["dense"] / found[f"1/{density} masked"] for density in RIVALS]
        axes.loglog(RIVALS, ratios, "k--", base=2, label=f"masked dense, {side}²")
    axes.set_xticks(DENSITIES, [f"1/{density}" for density in DENSITIES])
    axes.set(xlabel="share of the points", ylabel="times as fast as dense")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)


def again_with_memory_kept(sides: list[int], runs: int) -> dict[str, Times]:
    """The first experiment in a process whose allocator keeps its memory."""
    command = [sys.executable, __file__, "--only-times", "--sides", *map(str, sides)]
    command += ["--runs", str(runs), "--threads", str(torch.get_num_threads())]
    environment = os.environ | {"GLIBC_TUNABLES": KEPT}
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, Times] = json.loads(printed.stdout)
    return found


def by_method(found: dict[str, Times], method: str) -> Times:
    """The times by one method, by size."""
    return {side: methods[method] for side, methods in found.items()}


def main() -> None:
    """Run every experiment, print it, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--only-times", action="store_true", help="print the times as JSON")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--figure", type=Path, help="draw the factors in this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.only_times:
        found = {str(side): experiment(side, options.runs, rivals=False) for side in options.sides}
        print(json.dumps(found))
        return
    print(*(f"{name}: {value}" for name, value in machine().items()), sep="\n")
    found: dict[str, Times] = {}
    for side in options.sides:
        found[str(side)] = experiment(side, options.runs, rivals=side <= 256)
        title = f"forward + backward, batch {BATCH}, {side}², {CHANNELS} channels, {SIZE} × {SIZE}"
        for method, taken in found[str(side)].items():
            report(f"{title}, {method}", taken)
    kept = again_with_memory_kept(options.sides, options.runs)
    for side, methods in kept.items():
        for method, taken in methods.items():
            report(f"the same with memory kept by the allocator, {side}², {method}", taken)
    times = by_method(found, "bursts")
    figures: dict[str, Any] = {
        "machine": machine(),
        "times": times,
        "memory kept": by_method(kept, "bursts"),
        "single calls": by_method(found, "single calls"),
        "single calls, memory kept": by_method(kept, "single calls"),
    }
    if 256 in options.sides:
        figures["memory"] = memory(256)
        print("\npeak of forward + backward at 256², r = 1/4")
        print(
            *(f"  {kind:16s} {size:7.0f} MiB" for kind, size in figures["memory"].items()), sep="\n"
        )
    figures["roofline"] = roofline(times)
    print("\nshare of the roofline, forward + backward")
    for name, share in figures["roofline"].items():
        print(f"  {name:16s} {share:6.0%}")
    figures["steps"] = steps(options.runs)
    verdicts([*claims(figures), *claims_of_steps(figures["steps"])])
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
    if options.figure is not None:
        draw(times, options.figure)


if __name__ == "__main__":
    main()
