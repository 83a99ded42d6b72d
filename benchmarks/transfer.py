"""Milliseconds of transfers with scattered points beside those of all distances, in one run.

Run it by ``python benchmarks/transfer.py``; ``--help`` lists the options. The times are medians of
forward and backward onto a square grid, taken in turns with those they are compared to, since a
busy machine moves both; only the ratios are worth quoting. Lines "new points" are with the work
that depends on the points alone; the others of points that a transfer has met. The rivals are the
rules with all distances, some nodes at a time. Points of a grid, which have products of their own,
come last: the shapes of the model for faces.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from timing import in_turns, machine, report
from torch import Tensor

from inftydiff import Grid, Scattered, Subset, random_subset
from inftydiff.operators import Interpolation, KernelSmoother, NearestNeighbours

CHUNK = 1 << 18
"""The number of entries of a rival's matrix that exist at a time."""

NEIGHBOURS = 3


class DenseAverage:
    """The average as a product of all nodes and all points, from one table an axis."""

    def __init__(self, on: Scattered, nodes: Grid, width: float) -> None:
        distances = (nodes.axis(a)[:, None] - on.points[:, a] for a in range(2))
        windows = (
            torch.where(d <= 9 * width, (-0.5 * (d / width) ** 2).exp(), 0) for d in distances
        )
        self.rows, self.columns = (window.float() for window in windows)
        mass = torch.cat([piece.sum(1, keepdim=True) for _, piece in self.pieces()])
        self.inverse_mass = 1 / mass

    def pieces(self) -> Iterator[tuple[slice, Tensor]]:
        """Some rows of the matrix at a time."""
        count = len(self.columns)
        size = max(1, CHUNK // self.columns.numel())
        for start in range(0, len(self.rows), size):
            some = self.rows[start : start + size, None] * self.columns
            yield slice(start * count, (start + len(some)) * count), some.flatten(0, 1)

    def both_ways(self, values: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
        """The averages, and the gradient in the values."""
        there = torch.cat([piece @ values for _, piece in self.pieces()]) * self.inverse_mass
        along = along * self.inverse_mass
        return there, sum(piece.mT @ along[rows] for rows, piece in self.pieces())


def dense_neighbours(on: Scattered, nodes: Grid) -> Tensor:
    """The nearest points of all nodes, selected from all distances."""
    found = []
    for some in nodes.points.split(max(1, CHUNK // on.size)):
        squares = ((some[:, None] - on.points) ** 2).sum(-1)
        found.append(squares.topk(NEIGHBOURS, dim=-1, largest=False).indices)
    return torch.cat(found)


def both_ways(make: Callable, values: Tensor, along: Tensor) -> tuple[Tensor, Tensor]:
    """The values carried by a transfer, and the gradient in the values."""
    values = values.detach().requires_grad_()
    result = make().apply_values(values)
    return result, *torch.autograd.grad(result, values, along)


def averages(points: int, side: int, width: float, channels: int, runs: int) -> dict[str, float]:
    """The average, and its rival."""
    on, nodes = scattered(points), Grid((side, side))
    values, along = torch.randn(points, channels), torch.randn(nodes.size, channels)
    kept, rival = KernelSmoother(on, nodes, width), DenseAverage(on, nodes, width)
    for ours, dense in zip(
        both_ways(lambda: kept, values, along), rival.both_ways(values, along), strict=True
    ):
        torch.testing.assert_close(ours, dense, rtol=0, atol=1e-3)
    calls = {
        "all distances": lambda: rival.both_ways(values, along),
        "average": lambda: both_ways(lambda: kept, values, along),
        "all distances, new points": lambda: DenseAverage(on, nodes, width).both_ways(
            values, along
        ),
        "average, new points": lambda: both_ways(
            lambda: KernelSmoother(on, nodes, width), values, along
        ),
    }
    return in_turns(runs, **calls)


def neighbours(points: int, side: int, runs: int) -> dict[str, float]:
    """The search for neighbours, and its rival."""
    on, nodes = scattered(points), Grid((side, side))
    calls = {
        "all distances": lambda: dense_neighbours(on, nodes),
        "neighbours": lambda: NearestNeighbours(on, nodes, NEIGHBOURS)._neighbours,
    }
    return in_turns(runs, **calls)


def interpolation(points: int, side: int, channels: int, runs: int) -> dict[str, float]:
    """The way back to the points, and torch's own on a picture with its channels first."""
    on, nodes = scattered(points), Grid((side, side))
    values, along = torch.randn(nodes.size, channels), torch.randn(points, channels)
    places = (2 * on.points.float() - 1).flip(-1)[None, None]
    image = values.mT.reshape(1, channels, side, side).contiguous().requires_grad_()
    image_along = along.mT[None, :, None].contiguous()
    kept = Interpolation(nodes, on)

    def sampled() -> tuple[Tensor, Tensor]:
        result = F.grid_sample(image, places, padding_mode="border", align_corners=False)
        return result, *torch.autograd.grad(result, image, image_along)

    ours, _ = both_ways(lambda: kept, values, along)
    torch.testing.assert_close(ours, sampled()[0][0, :, 0].mT, rtol=0, atol=1e-3)
    calls = {
        "grid_sample": sampled,
        "interpolation": lambda: both_ways(lambda: kept, values, along),
        "interpolation, new points": lambda: both_ways(
            lambda: Interpolation(nodes, on), values, along
        ),
    }
    return in_turns(runs, **calls)


def faces(batch: int, size: int, channels: int, runs: int) -> dict[str, float]:
    """Both transfers of the model for faces, from some points of 64² to 32² and back."""
    grid, nodes, width = Grid((64, 64)), Grid((32, 32)), 1 / 64
    index = random_subset(grid, size, batch=batch, generator=torch.Generator().manual_seed(0)).index
    values, cells = torch.randn(batch, size, channels), torch.randn(batch, nodes.size, channels)
    on = Subset(grid, index)
    average, back = KernelSmoother(on, nodes, width), Interpolation(nodes, on)
    calls = {
        "average": lambda: both_ways(lambda: average, values, cells),
        "average, new points": lambda: both_ways(
            lambda: KernelSmoother(Subset(grid, index), nodes, width), values, cells
        ),
        "interpolation": lambda: both_ways(lambda: back, cells, values),
        "interpolation, new points": lambda: both_ways(
            lambda: Interpolation(nodes, Subset(grid, index)), cells, values
        ),
    }
    return in_turns(runs, **calls)


def scattered(points: int) -> Scattered:
    """Uniform points of the unit square."""
    generator = torch.Generator().manual_seed(0)
    return Scattered(torch.rand(points, 2, generator=generator, dtype=torch.float64))


def main() -> None:
    """Run every experiment, print it, and write it down if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--points", type=int, nargs="+", default=[16384, 65536])
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--cells", type=float, nargs="+", default=[1.0, 2.0], help="window widths")
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16, help="faces")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(*(f"{name}: {value}" for name, value in machine().items()), sep="\n")
    figures: dict[str, object] = {"machine": machine()}
    side, channels, runs = options.side, options.channels, options.runs
    for points in options.points:
        shape = f"{points} points, {side}², {channels} channels"
        for cells in options.cells:
            title = f"forward + backward, {shape}, a width of {cells:g} cells"
            figures[title] = averages(points, side, cells / side, channels, runs)
            report(title, figures[title])
        title = f"three nearest neighbours, {points} points, {side}²"
        figures[title] = neighbours(points, side, runs)
        report(title, figures[title])
        title = f"forward + backward, {shape}, back to the points"
        figures[title] = interpolation(points, side, channels, runs)
        report(title, figures[title])
    for size in (1024, 4096):
        title = f"forward + backward, {size} points of 64², 32², batch {options.batch}, 32 channels"
        figures[title] = faces(options.batch, size, 32, runs)
        report(title, figures[title])
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
