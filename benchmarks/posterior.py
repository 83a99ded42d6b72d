"""Errors of guided samplers against the exact posterior, by method, observation and resolution.

Run it by ``python benchmarks/posterior.py``; ``--help`` lists the options. The data are a Matérn
field on the unit square, seen in three ways: outside a hidden square (with errors that are white
noise, so that every grid sees the same), as averages over 8 × 8 cells, and by 30 sensors. The
process has mollified noise, S = I. The denoiser is exact and the truth is the Gaussian process
posterior by dense matrices, so every error is the method's or the solver's.

Methods that are linear in first state and values have an output whose law is computed; the others
are sampled, and their errors have the sampling error in them that the table's last column names.
The error of the mean is relative in the norm; that of the variance is the mean absolute difference
over the mean true variance, and the worst point's.

The exit status is 1 if moment matching misses 3 % in the mean or 5 % in the variance at a point, or
its errors at two resolutions differ by more than a tenth (or, of the mean, by more than the
tolerance of the conjugate residuals).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from inftydiff import (
    DDIM,
    DPS,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    MomentMatching,
    Observation,
    PiGDM,
    Prediction,
    ReconstructionGuidance,
    RePaint,
    Scattered,
    UniPC,
    WhiteNoise,
    cell_averages,
    gaussian_mollifier,
    guided,
    known_points,
    matern,
    point_values,
    sample,
    steps,
    twisted_smc,
)
from inftydiff.processes import Denoiser, GuidanceDiverged, RandomField
from inftydiff.testing import GaussianDenoiser, PointwiseLaw, exact_posterior, guided_output

SIDES = (16, 32, 64)
KINDS = ("mask", "low resolution", "sensors")
DATA = GaussianMeasure(None, matern(2.5, 0.5, dim=2), WhiteNoise())
PROCESS = DiffusionProcess.noise_only(
    CosineSchedule(), gaussian_mollifier(1 / 16), noise=WhiteNoise(1 / 16)
)
RULE = UniPC(3)
CALLS = 20
TIMES = steps(CALLS, spacing="log_snr", schedule=PROCESS.schedule)

NOISE = 0.1
"""The deviation of the errors: of a sensor, a coarse cell, and a cell of the mask at 16²."""

SENSORS = torch.rand(30, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

# ΠGDM's ratio is that of the constant mode, the largest; with 1, as published, it diverges here.
MATCHING = "moment matching"
TOLERANCE = 1e-3
LINEAR = {
    MATCHING: MomentMatching(iterations=100, tolerance=TOLERANCE),
    "ΠGDM": PiGDM(tolerance=1e-3, signal_to_noise=402.0),
    "reconstruction": ReconstructionGuidance(1.0),
}
SAMPLED = {
    "moment matching, 3 iterations": MomentMatching(iterations=3),
    "moment matching, 15 iterations": MomentMatching(),
}
STEPPED = DPS(0.1)
STEPPED_CALLS = 100
"""Steps of one length need many of them: DPS runs DDIM, with so many calls."""

SAMPLES = 200
PARTICLES = 400
SMC_SIDES = (16,)
"""Four hundred particles on finer grids take minutes."""

BOUNDS = 0.03, 0.05
"""What moment matching is held to: in the mean, and in the variance at every point."""


@dataclass(frozen=True)
class Row:
    """One entry of the table; errors are None where the method diverged."""

    method: str
    observation: str
    side: int
    mean: float | None
    variance: float | None
    variance_at_worst: float | None
    calls: int
    seconds: float
    samples: int | None
    note: str = ""


def problem(kind: str, side: int) -> tuple[Grid, Observation]:
    """The same field and the same errors on every grid."""
    grid = Grid((side, side))
    field = DATA.draw(grid.domain, batch=1, channels=1, generator=torch.Generator().manual_seed(5))
    x0 = field(grid, dtype=torch.float64)
    generator = torch.Generator().manual_seed(6)
    if kind == "mask":
        hidden = ((grid.points > 0.25) & (grid.points < 0.75)).all(-1)
        reads = known_points(~hidden, on=grid)
        white = RandomField(seed=6, domain=grid.domain, batch=1, channels=1, intensity=NOISE / 16)
        values = reads(x0)[0] + reads(white(grid, dtype=torch.float64))[0]
        return grid, Observation(reads, values, NOISE * side / 16)
    if kind == "sensors":
        reads = point_values(Scattered(SENSORS), on=grid)
    else:
        reads = cell_averages(Grid((8, 8)), on=grid)
    errors = torch.randn(reads.size, 1, generator=generator, dtype=torch.float64)
    return grid, Observation(reads, reads(x0)[0] + NOISE * errors, NOISE)


class Counted:
    """The exact denoiser, and how often it was asked."""

    def __init__(self) -> None:
        self.oracle, self.calls = GaussianDenoiser(PROCESS, DATA), 0

    def __call__(self, x_t: Function, t: Tensor) -> Prediction:
        self.calls += 1
        return self.oracle(x_t, t)


def sampled(x: Tensor, weights: Tensor | None = None) -> PointwiseLaw:
    """The law of samples of shape (samples, points), with weights that add up to one."""
    if weights is None:
        weights = x.new_full((len(x),), 1.0 / len(x))
    mean = weights @ x
    spread = weights @ (x - mean).square() / (1.0 - weights.square().sum())
    return PointwiseLaw(mean, spread)


def run(rule, denoiser: Denoiser, grid: Grid, times: Tensor = TIMES) -> PointwiseLaw:
    """The law of samples of a sampler."""
    generator = torch.Generator().manual_seed(0)
    noise = PROCESS.draw_noise(
        grid, batch=SAMPLES, channels=1, generator=generator, dtype=torch.float64
    )
    x = sample(
        rule,
        PROCESS,
        denoiser,
        on=grid,
        times=times,
        batch=SAMPLES,
        channels=1,
        generator=generator,
        start=noise * PROCESS.schedule.sigma(TIMES[:1]).item(),
    )
    return sampled(x.values.squeeze(-1))


def particles(denoiser: Denoiser, seen: Observation, grid: Grid) -> PointwiseLaw:
    """The law of weighted particles."""
    found = twisted_smc(
        PROCESS,
        denoiser,
        seen,
        on=grid,
        times=steps(2 * CALLS, spacing="log_snr", schedule=PROCESS.schedule),
        particles=PARTICLES,
        channels=1,
        generator=torch.Generator().manual_seed(0),
    )
    return sampled(found.x.values[0].squeeze(-1), found.log_weights[0].exp())


Method = Callable[[Counted, Observation, Grid], PointwiseLaw]


def methods(kind: str, side: int) -> Iterator[tuple[str, int | None, Method]]:
    """Names, numbers of samples and functions of what is run on a problem."""
    for name, guide in LINEAR.items():

        def linear(denoiser: Counted, seen: Observation, grid: Grid, guide=guide) -> PointwiseLaw:
            def wrap(exact: Denoiser, each: Observation) -> Denoiser:
                denoiser.oracle = exact  # type: ignore[assignment]
                return guided(guide, PROCESS, denoiser, each)

            return guided_output(RULE, PROCESS, wrap, DATA, seen, on=grid, times=TIMES)

        yield name, None, linear
    for name, guide in SAMPLED.items():

        def drawn(denoiser: Counted, seen: Observation, grid: Grid, guide=guide) -> PointwiseLaw:
            return run(RULE, guided(guide, PROCESS, denoiser, seen), grid)

        yield name, SAMPLES, drawn

    def stepped(denoiser: Counted, seen: Observation, grid: Grid) -> PointwiseLaw:
        times = steps(STEPPED_CALLS, spacing="log_snr", schedule=PROCESS.schedule)
        return run(DDIM(), guided(STEPPED, PROCESS, denoiser, seen), grid, times)

    yield "DPS", SAMPLES, stepped
    if kind == "mask":

        def pasted(denoiser: Counted, seen: Observation, grid: Grid) -> PointwiseLaw:
            return run(RePaint(seen, resamplings=5), denoiser, grid)

        yield "RePaint", SAMPLES, pasted
    if side in SMC_SIDES:
        yield "twisted SMC", PARTICLES, particles


def measure(kind: str, side: int) -> Iterator[Row]:
    """All rows of one problem."""
    grid, seen = problem(kind, side)
    truth = exact_posterior(DATA, seen)
    for name, samples, method in methods(kind, side):
        denoiser, begun, note = Counted(), time.perf_counter(), ""
        errors: tuple[float | None, ...] = (None, None, None)
        try:
            law = method(denoiser, seen, grid)
            errors = (
                law.mean_error(truth),
                law.mean_variance_error(truth),
                law.variance_error(truth),
            )
        except GuidanceDiverged as error:
            note = "diverges" if error.strength is None else f"try strength={error.strength:g}"
        seconds = time.perf_counter() - begun
        yield Row(name, kind, side, *errors, denoiser.calls, seconds, samples, note)


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:.2f}"


def show(row: Row) -> None:
    """Print a row."""
    errors = (f"{_percent(e):>10}" for e in (row.mean, row.variance, row.variance_at_worst))
    samples = "exact law" if row.samples is None else f"{row.samples} samples"
    print(
        f"{row.method:31} {row.observation:15} {row.side:3}²"
        + "".join(errors)
        + f" {row.calls:6} {row.seconds:7.1f}  {row.note or samples}",
        flush=True,
    )


def claims(rows: list[Row]) -> bool:
    """Print whether moment matching keeps its bounds, for each observation."""
    all_hold = True
    for kind in KINDS:
        mine = [row for row in rows if row.method == MATCHING and row.observation == kind]
        means = [row.mean for row in mine if row.mean is not None]
        worst = [row.variance_at_worst for row in mine if row.variance_at_worst is not None]
        holds = len(means) == len(mine) and max(means) <= BOUNDS[0] and max(worst) <= BOUNDS[1]
        alike = max(worst) - min(worst) <= 0.1 * max(worst)
        alike = alike and max(means) - min(means) <= max(0.1 * max(means), TOLERANCE)
        all_hold = all_hold and holds and alike
        print(
            f"{kind}: mean within {100 * max(means):.3f} % (bound {100 * BOUNDS[0]:g}), variance "
            f"within {100 * max(worst):.2f} % at every point (bound {100 * BOUNDS[1]:g}): "
            f"{'holds' if holds else 'DOES NOT HOLD'}; the same at all resolutions: "
            f"{'holds' if alike else 'DOES NOT HOLD'}"
        )
    return all_hold


def write(rows: list[Row], path: Path) -> None:
    """The table as JSON, four digits."""

    def short(value: object) -> object:
        return float(f"{value:.4g}") if isinstance(value, float) else value

    document = {
        "calls": CALLS,
        "samples": SAMPLES,
        "particles": PARTICLES,
        "rows": [{key: short(value) for key, value in asdict(row).items()} for row in rows],
    }
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")


def draw(rows: list[Row], path: Path) -> None:
    """The errors of mean and variance of every method, by observation, at the finest grid."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(row.method for row in rows))
    figure, axes = pyplot.subplots(1, len(KINDS), figsize=(13, 4), sharey=True, layout="tight")
    for ax, kind in zip(axes, KINDS, strict=True):
        for row in (row for row in rows if row.observation == kind):
            if row.mean is None or row.variance is None:
                continue
            place, size = names.index(row.method), row.side / 2
            ax.scatter(row.mean, place, s=size, c="C0", label=None)
            ax.scatter(row.variance, place, s=size, c="C1", marker="s")
        ax.set(title=kind, xscale="log", xlabel="error of mean (•), of variance (■)")
        ax.set_yticks(range(len(names)), names)
        ax.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--json", type=Path, default=Path("posterior.json"))
    parser.add_argument("--picture", type=Path, default=Path("posterior.png"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{'method':31} {'observation':15} side    mean %     var %   worst %  calls seconds",
        flush=True,
    )
    rows = []
    for kind in KINDS:
        for side in arguments.sides:
            for row in measure(kind, side):
                show(row)
                rows.append(row)
    print()
    holds = claims(rows)
    write(rows, arguments.json)
    draw(rows, arguments.picture)
    print(f"\nWrote {arguments.json} and {arguments.picture}")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
