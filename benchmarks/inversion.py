"""Up in time and down again: what each rule of inversion leaves of a function.

    python benchmarks/inversion.py --json docs/_figures/inversion.json

Relative errors in the L² norm, of Gaussian fields with the exact denoiser in float64, and of faces
with the weights in the package, in float32. The last step down is the denoiser's estimate, which no
rule inverts, so the errors before it are given too.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch
from faces_64 import generator, truth
from timing import machine

from inftydiff import (
    CosineSchedule,
    DDIMInversion,
    DiffusionProcess,
    FixedPointInversion,
    Function,
    GaussianMeasure,
    Grid,
    HeunInversion,
    WhiteNoise,
    gaussian_mollifier,
    invert,
    matern,
    recommended_timesteps,
    trajectory,
)
from inftydiff.pipelines import InftyDiff
from inftydiff.processes import Denoiser, InversionRule
from inftydiff.testing import GaussianDenoiser

Problem: TypeAlias = tuple[Denoiser, Function]
Errors: TypeAlias = dict[str, list[float]]

SOLVERS: dict[str, InversionRule] = {
    "DDIMInversion()": DDIMInversion(),
    "HeunInversion()": HeunInversion(),
    "FixedPointInversion()": FixedPointInversion(),
}
SIDE = 32


def fields(count: int) -> Problem:
    """Gaussian fields of 32², mollified by a cell."""
    grid, noise = Grid((SIDE, SIDE)), WhiteNoise(1 / SIDE)
    mollifier = gaussian_mollifier(1 / SIDE)
    process = DiffusionProcess.mollified(CosineSchedule(), mollifier, noise=noise)
    data = GaussianMeasure(None, matern(1.5, 0.3, dim=2), WhiteNoise())
    exact = GaussianDenoiser(process, data)
    x0 = exact.sample_data(grid, batch=count, channels=1, generator=generator(0))
    return exact, mollifier(Function(grid, x0.values.double()))


def pictures(count: int) -> Problem:
    """Test faces of 64², mollified, and the network with its filters."""
    model = InftyDiff.from_pretrained("faces-64").eval()
    x0 = Function.from_image(truth("test", count, 64))
    return model.denoiser(), model.process.constant_signal(x0)


@torch.no_grad()
def errors(problem: Problem, inversion: InversionRule, n: int) -> Errors:
    """The relative errors at the end, and before the last step."""
    denoiser, x = problem
    schedule = denoiser.process.schedule
    times = recommended_timesteps(n, inversion.solver, schedule)
    start = invert(inversion, denoiser, x, times=times)
    *_, before, last = trajectory(
        inversion.solver,
        denoiser,
        on=x.on,
        times=times,
        batch=len(x.values),
        channels=x.channels,
        generator=generator(0),
        start=start,
    )
    known = x * schedule.alpha(times[-2].double()).item()

    def relative(found: Function, expected: Function) -> list[float]:
        return ((found - expected).norm() / expected.norm()).tolist()

    return {"at the end": relative(last.x, x), "before": relative(before.x, known)}


def main() -> None:
    """Run every experiment, print it, and write it down if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2, help="how many functions")
    parser.add_argument("--steps", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    kinds: dict[str, Callable[[int], Problem]] = {"Gaussian fields": fields, "faces": pictures}
    found: dict[str, object] = {"machine": machine()}
    for kind, make in kinds.items():
        problem = make(options.count)
        for name, inversion in SOLVERS.items():
            for n in options.steps:
                each = errors(problem, inversion, n)
                found[f"{kind}, {name}, {n} steps"] = each
                shown = ("; ".join(f"{e:.1e}" for e in values) for values in each.values())
                print(f"{kind:16}{name:24}{n:5}   " + "   before: ".join(shown), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
