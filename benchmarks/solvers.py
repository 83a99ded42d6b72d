"""W₂ of samples to the true law against denoiser calls, for all solvers and spacings.

Run it by ``python benchmarks/solvers.py``; ``--help`` lists the options. Nothing is drawn, but for
the solvers that have both noise and memory on the mixture: with the exact denoiser the law of the
output is known. The data are Matérn fields on the unit square, rough and smooth, and a mixture of
two rough ones; the process is mollified diffusion, and white-noise diffusion, with a cosine
schedule. W₂ is relative to the root mean square norm of the data.

For a constant signal operator the output's variance of a mode, over the data's, is one function of
the mode's ratio of variances. It is computed at the Chebyshev points of the logarithm of the ratio
and interpolated; ``--check`` compares the outcome with ``output_law``, mode by mode.

The adaptive flow has a row for each tolerance instead of each number of calls. Its steps depend on
the state; here they are those of a typical one, and for these steps the law is exact. It is left
out for the mixture, on which the steps depend on the component.

The exit status is 1 if the best solver and spacing with few calls do not reach the reference.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.polynomial import Chebyshev
from torch import Tensor

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Prediction,
    ProbabilityFlow,
    WhiteNoise,
    gaussian_mollifier,
    sample,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.covariance import matern
from inftydiff.processes import CallableDenoiser, scale_modes
from inftydiff.processes.solvers import (
    DDIM,
    DDPM,
    DPMSolverPP,
    EulerMaruyama,
    Heun,
    Solver,
    UniPC,
)
from inftydiff.processes.times import timesteps
from inftydiff.testing._scalar_mixture import ScalarMixture
from inftydiff.testing.mixture_output import mixture_line
from inftydiff.testing.oracles import MixtureDenoiser
from inftydiff.testing.oracles._joint import ModalLaw, joint_law
from inftydiff.testing.output_law import output_law, variance_gain

CALLS = (5, 10, 15, 20, 30, 50, 100, 200)
SIDES = (32, 64, 128, 256)
SPACINGS = ("uniform", "quadratic", "angle", "log_snr", "karras")
SOLVERS: dict[str, Solver] = {
    "DDPM": DDPM(),
    "DDPM (transition)": DDPM("transition"),
    "Euler-Maruyama": EulerMaruyama(),
    "DPM-Solver++ SDE 2M": DPMSolverPP(2, stochastic=True),
    "DDIM (η = 0.5)": DDIM(0.5),
    "DDIM": DDIM(),
    "Heun": Heun(),
    "Heun (ratio)": Heun("ratio"),
    "DPM-Solver++ 2M": DPMSolverPP(2),
    "DPM-Solver++ 3M": DPMSolverPP(3),
    "UniPC 2": UniPC(2),
    "UniPC 3": UniPC(3),
}
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
"""The relative tolerances of the adaptive flow; the absolute ones are a tenth of them."""

REFERENCE = ("DDIM", "uniform", 100)
"""What the best solver and spacing are to beat with few calls."""

BUDGET = 15
"""The few calls."""

SCHEDULE = CosineSchedule()
CELL = 1 / 64
LENGTH = 0.2
PRIORS = {"rough": 0.5, "smooth": 2.5}
"""The smoothness of the Matérn priors."""

SEPARATION, WEIGHTS = 1.0, (0.3, 0.7)
"""The mixture's means are ± this times cos(πx)."""

DATA = (*PRIORS, "mixture")

MAIN_SIDE = 64
"""The side of the grid that most tables are for."""

CHECKED = (
    ("DDIM", "uniform", 100, "rough", 256),
    ("UniPC 3", "log_snr", 15, "rough", 256),
    ("DDPM", "karras", 20, "smooth", 64),
)
"""Solver, spacing, calls, prior and side of what is compared with every mode."""

NODES = 192
"""The degree of the interpolant."""

LEAST_RATIO = 1e-10
"""Modes with a smaller ratio P/V are taken to have this one: their part of the data is nothing."""

TABLE = 6000
"""At how many ratios the interpolant is tabulated."""

MANY_CALLS = 30
"""With more calls than this the mixture is computed in the solver's best spacing only."""


@dataclass(frozen=True)
class Spectrum:
    """One law of data under one process on one grid: P and P/V, mode by mode."""

    signal: np.ndarray
    ratio: np.ndarray

    @staticmethod
    def of(process: DiffusionProcess, data: GaussianMeasure, side: int) -> "Spectrum":
        law = joint_law(process, data, process.signal_at(torch.zeros(1)), Grid((side, side)))
        assert isinstance(law, ModalLaw)
        signal, noise = law.signal.flatten().numpy(), law.noise.flatten().numpy()
        ratio = np.divide(signal, noise, out=np.zeros_like(signal), where=signal > 0.0)
        return Spectrum(signal, np.maximum(ratio, LEAST_RATIO))

    def table(self, places: np.ndarray) -> np.ndarray:
        """The mass of P between tabulated logarithms of the ratio."""
        mass = np.zeros_like(places)
        at = np.clip((np.log(self.ratio) - places[0]) / (places[1] - places[0]), 0, TABLE - 1.001)
        left = at.astype(int)
        np.add.at(mass, left, self.signal * (left + 1 - at))
        np.add.at(mass, left + 1, self.signal * (at - left))
        return mass


def processes() -> dict[str, DiffusionProcess]:
    """The two processes, with unit noise in a cell of 64²."""
    noise = WhiteNoise(CELL)
    return {
        "mollified": DiffusionProcess.mollified(SCHEDULE, gaussian_mollifier(CELL), noise=noise),
        "white": DiffusionProcess.white(SCHEDULE, noise=noise),
    }


def prior(smoothness: float) -> GaussianMeasure:
    """The law of a Matérn field on the square."""
    return GaussianMeasure(None, matern(smoothness, LENGTH, dim=2), WhiteNoise())


def mixture(process: DiffusionProcess, side: int) -> tuple[MixtureDenoiser, Grid]:
    """The exact denoiser of two rough fields with opposite means, and its grid."""
    grid, rough = Grid((side, side)), prior(PRIORS["rough"])
    wave = Function(grid, SEPARATION * torch.cos(math.pi * grid.points[:, :1]))
    parts = [GaussianMeasure(wave * sign, rough.factor, rough.noise) for sign in (1.0, -1.0)]
    return MixtureDenoiser(process, WEIGHTS, parts), grid


def times_of(solver: Solver, spacing: str, calls: int) -> Tensor:
    """As many steps as the calls allow: Heun's last step takes one of its two."""
    n = (calls + 1) // 2 if isinstance(solver, Heun) else calls
    return timesteps(n, spacing=spacing, schedule=SCHEDULE)


@dataclass(frozen=True)
class Adaptive:
    """What the adaptive flow reaches on the main grid with a tolerance: calls and W₂."""

    calls: int
    distance: float

    @staticmethod
    def of(data: GaussianMeasure, rtol: float) -> "Adaptive":
        """From a typical noise: one standard deviation in every mode, with random signs."""
        process, grid = processes()["mollified"], Grid((MAIN_SIDE, MAIN_SIDE))
        law = joint_law(process, data, process.signal_at(torch.zeros(1)), grid)
        assert isinstance(law, ModalLaw)
        P, V = law.signal, law.noise
        basis, unit, calls = eigenbasis(grid.domain), math.sqrt(grid.cell_volume), 0

        def exact(x_t: Function, t: Tensor) -> Prediction:
            nonlocal calls
            calls += 1
            alpha, sigma = SCHEDULE.alpha(t), SCHEDULE.sigma(t)
            signal = scale_modes(x_t, (alpha * P / (alpha**2 * P + sigma**2 * V)).unsqueeze(0))
            return Prediction(signal, (x_t - signal * alpha) * (1.0 / sigma))

        generator = torch.Generator().manual_seed(0)
        signs = 2.0 * torch.randint(0, 2, grid.shape, generator=generator).double() - 1.0
        noise = basis.synthesis(signs * V.sqrt() / unit).reshape(1, grid.size, 1)
        x = sample(
            ProbabilityFlow(rtol=rtol, atol=rtol / 10.0),
            CallableDenoiser(process, exact),
            on=grid,
            times=timesteps(1),
            batch=1,
            channels=1,
            generator=generator,
            start=Function(grid, noise) * SCHEDULE.sigma(torch.ones(1, dtype=torch.float64)),
        )
        reached = signs * basis.analysis(x.to_image()[0, 0]) * unit
        error = (reached - P.sqrt()).square().sum() / P.sum()
        return Adaptive(calls, error.sqrt().item())


Run = tuple[str, str, int]
"""Solver, spacing and calls."""

Place = tuple[str, str, int]
"""Process, data and side."""


class Benchmark:
    """The distances W₂ over the data's norm, for every run and place."""

    def __init__(self, calls: Sequence[int]) -> None:
        self.calls = tuple(calls)
        self.spectra = {
            (name, kind, side): Spectrum.of(process, prior(smoothness), side)
            for name, process in processes().items()
            for kind, smoothness in PRIORS.items()
            for side in SIDES
        }
        ratios = np.concatenate([spectrum.ratio for spectrum in self.spectra.values()])
        ends = math.log(ratios.min()) - 0.1, math.log(ratios.max()) + 0.1
        self.places = np.linspace(*ends, TABLE)
        self.tables = {key: spectrum.table(self.places) for key, spectrum in self.spectra.items()}
        oracle, grid = mixture(processes()["mollified"], MAIN_SIDE)
        self.line: ScalarMixture = mixture_line(oracle, grid).problem
        self.found: dict[tuple[Run, Place], float] = {}
        self.adaptive: dict[tuple[str, float], Adaptive] = {}

    def run(self) -> None:
        begun = time.perf_counter()
        for name in SOLVERS:
            squares = {
                (spacing, calls): self.gaussian((name, spacing, calls))
                for spacing in SPACINGS
                for calls in self.calls
            }
            best = self.best_spacing(name, "rough")
            for (spacing, calls), values in squares.items():
                run = (name, spacing, calls)
                if calls <= MANY_CALLS or spacing == best or run[:2] == REFERENCE[:2]:
                    self.mixed(run, values)
            _tell(begun, name)
        for kind in PRIORS:
            for rtol in TOLERANCES:
                self.adaptive[kind, rtol] = Adaptive.of(prior(PRIORS[kind]), rtol)
        _tell(begun, "adaptive flow")

    def gaussian(self, run: Run) -> np.ndarray:
        """The distances for the Matérn priors; returns (root of the gain - 1)², tabulated."""
        name, spacing, calls = run
        solver = SOLVERS[name]
        times = times_of(solver, spacing, calls)

        def gain(logarithm: np.ndarray) -> np.ndarray:
            ratios = torch.from_numpy(np.exp(logarithm))
            return variance_gain(solver, SCHEDULE, ratios, times=times).numpy()

        fit = Chebyshev.interpolate(gain, NODES, domain=(self.places[0], self.places[-1]))
        squares = (np.sqrt(np.maximum(fit(self.places), 0.0)) - 1.0) ** 2
        for place, table in self.tables.items():
            self.found[run, place] = math.sqrt(table @ squares / table.sum())
        return squares

    def mixed(self, run: Run, squares: np.ndarray) -> None:
        """The distances for the mixture: those of the rough prior but for one coefficient.

        The problem of this coefficient is the same at every place, but for its unit and what the
        modes above the grid's add to its variance, less than 10⁻⁴.
        """
        name, spacing, calls = run
        solver = SOLVERS[name]
        along = self.line.output_wasserstein(
            solver,
            times=times_of(solver, spacing, calls),
            generator=torch.Generator().manual_seed(0),
        )
        mean = self.line.means.abs().max().item()
        for (process, kind, side), spectrum in self.spectra.items():
            if kind != "rough":
                continue
            P, ratio = spectrum.signal[side], spectrum.ratio[side]
            unit = math.sqrt(P / self.line.variance)
            rough = self.found[run, (process, kind, side)] ** 2 * spectrum.signal.sum()
            replaced = P * np.interp(math.log(ratio), self.places, squares)
            norm = spectrum.signal.sum() + (unit * mean) ** 2
            value = math.sqrt((rough - replaced + (unit * along) ** 2) / norm)
            self.found[run, (process, "mixture", side)] = value

    def at(self, name: str, spacing: str, calls: int, kind: str, side: int = 0) -> float:
        place = ("mollified", kind, side or MAIN_SIDE)
        return self.found.get(((name, spacing, calls), place), math.nan)

    def best_spacing(self, name: str, kind: str) -> str:
        return min(SPACINGS, key=lambda spacing: self.at(name, spacing, BUDGET, kind))

    def best(self, kind: str, calls: int = BUDGET) -> tuple[str, str]:
        """The solver and spacing with the least distance."""
        pairs = [(name, spacing) for name in SOLVERS for spacing in SPACINGS]
        return min(pairs, key=lambda pair: self.at(*pair, calls, kind))

    def check(self) -> None:
        """Compare interpolated distances with those of every mode."""
        for name, spacing, calls, kind, side in CHECKED:
            process, solver = processes()["mollified"], SOLVERS[name]
            times = times_of(solver, spacing, calls)
            data = prior(PRIORS[kind])
            law = output_law(solver, process, data, on=Grid((side, side)), times=times)
            exact = (law.wasserstein_to_data() / law.rms()).item()
            found = self.at(name, spacing, calls, kind, side)
            print(
                f"{name}, {spacing}, {calls} calls, {kind}, {side}²: every mode {exact:.8f}, "
                f"interpolated {found:.8f}"
            )

    def report(self) -> None:
        for kind in DATA:
            print(f"\nW₂ over the data's norm, {kind}, {MAIN_SIDE}², mollified, by calls")
            print(f"{'':33}" + "".join(f"{calls:>10}" for calls in self.calls))
            for name in SOLVERS:
                self._row(name, self.best_spacing(name, "rough"), kind)
            self._row(*REFERENCE[:2], kind)
        print(f"\nThe adaptive flow by its tolerance, {MAIN_SIDE}², mollified: calls and W₂")
        for rtol in TOLERANCES:
            cells = (f"{self.adaptive[kind, rtol].calls:6}" for kind in PRIORS)
            values = (f"{self.adaptive[kind, rtol].distance:10.2g}" for kind in PRIORS)
            pairs = zip(PRIORS, cells, values, strict=True)
            print(f"{rtol:8g}" + "".join(f"    {kind}: {c} {v}" for kind, c, v in pairs))
        print(f"\nW₂ at {BUDGET} calls, by spacing ({', '.join(DATA)})")
        print(f"{'':21}" + "".join(f"{spacing:>24}" for spacing in SPACINGS))
        for name in SOLVERS:
            cells = (
                " ".join(f"{self.at(name, spacing, BUDGET, kind):.4f}" for kind in DATA)
                for spacing in SPACINGS
            )
            print(f"{name:21}" + "".join(f"{cell:>24}" for cell in cells))
        print(f"\nW₂ of the best at {BUDGET} calls, by resolution")
        for kind in DATA:
            name, spacing = self.best(kind)
            sides = (f"{self.at(name, spacing, BUDGET, kind, n):.6f} at {n}²" for n in SIDES)
            print(f"{kind:8} {name}, {spacing}: " + ", ".join(sides))

    def claim(self) -> bool:
        """Print for each law whether the best with few calls reach the reference."""
        print()
        all_hold = True
        for kind in DATA:
            name, spacing = self.best(kind)
            reached, wanted = self.at(name, spacing, BUDGET, kind), self.at(*REFERENCE, kind)
            all_hold = all_hold and reached <= wanted
            holds = "holds" if reached <= wanted else "DOES NOT HOLD"
            print(
                f"{kind}: {name}, {spacing}, {BUDGET} calls: {reached:.5f}; {REFERENCE[0]}, "
                f"{REFERENCE[1]}, {REFERENCE[2]} calls: {wanted:.5f}; the claim {holds}"
            )
        return all_hold

    def _row(self, name: str, spacing: str, kind: str) -> None:
        cells = (f"{self.at(name, spacing, calls, kind):10.5f}" for calls in self.calls)
        print(f"{name + ', ' + spacing:33}" + "".join(cells))

    def write(self, path: Path) -> None:
        """The results as JSON, four digits each, null where the mixture was not computed."""
        runs = [(name, spacing) for name in SOLVERS for spacing in SPACINGS]
        document = {
            "calls": self.calls,
            "side": MAIN_SIDE,
            "distances": {
                kind: {
                    name: {
                        spacing: [
                            _short(self.at(name, spacing, calls, kind)) for calls in self.calls
                        ]
                        for spacing in SPACINGS
                    }
                    for name in SOLVERS
                }
                for kind in DATA
            },
            "by_side": {
                kind: {
                    f"{name}, {spacing}": [
                        _short(self.at(name, spacing, BUDGET, kind, side)) for side in SIDES
                    ]
                    for name, spacing in runs
                }
                for kind in DATA
            },
            "white": {
                kind: {
                    f"{name}, {spacing}": _short(
                        self.found[(name, spacing, BUDGET), ("white", kind, MAIN_SIDE)]
                    )
                    for name, spacing in runs
                }
                for kind in DATA
            },
            "matern_by_side": {
                kind: {
                    name: {
                        spacing: [
                            [
                                _short(self.at(name, spacing, calls, kind, side))
                                for calls in self.calls
                            ]
                            for side in SIDES
                        ]
                        for spacing in SPACINGS
                    }
                    for name in SOLVERS
                }
                for kind in PRIORS
            },
            "adaptive": {
                kind: [
                    {
                        "rtol": rtol,
                        "calls": self.adaptive[kind, rtol].calls,
                        "distance": _short(self.adaptive[kind, rtol].distance),
                    }
                    for rtol in TOLERANCES
                ]
                for kind in PRIORS
            },
            "sides": SIDES,
            "budget": BUDGET,
        }
        path.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")

    def draw(self, path: Path) -> None:
        """The distances against calls, each solver in its best spacing."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(
            1, len(DATA), figsize=(13, 4.6), sharey=True, layout="constrained"
        )
        for ax, kind in zip(axes, DATA, strict=True):
            for number, name in enumerate(SOLVERS):
                spacing = self.best_spacing(name, "rough")
                values = [self.at(name, spacing, calls, kind) for calls in self.calls]
                style = {"color": f"C{number % 10}", "ls": "-" if number < 10 else "-."}
                ax.loglog(self.calls, values, marker=".", label=f"{name}, {spacing}", **style)
            values = [self.at(*REFERENCE[:2], calls, kind) for calls in self.calls]
            ax.loglog(self.calls, values, "k--", label=", ".join(REFERENCE[:2]))
            if kind in PRIORS:
                rows = [self.adaptive[kind, rtol] for rtol in TOLERANCES]
                points = [row.calls for row in rows], [row.distance for row in rows]
                ax.loglog(*points, "k:", marker="o", ms=3, label="adaptive flow, by tolerance")
            ax.set(title=kind, xlabel="denoiser calls", ylim=(5e-6, 2.0))
            ax.grid(alpha=0.3)
        axes[0].set_ylabel("W₂ over the data's norm")
        axes[0].set_xlim(right=1000)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
        figure.savefig(path, dpi=110)


def _tell(begun: float, what: str) -> None:
    print(f"{time.perf_counter() - begun:6.1f} s  {what}", flush=True)


def _short(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.4g}")


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=CALLS)
    parser.add_argument("--json", type=Path, default=Path("solvers.json"))
    parser.add_argument("--picture", type=Path, default=Path("solvers.png"))
    parser.add_argument("--check", action="store_true", help="compare with every mode as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    calls = sorted({*arguments.calls, BUDGET, REFERENCE[2]})
    benchmark = Benchmark(calls)
    benchmark.run()
    benchmark.report()
    holds = benchmark.claim()
    if arguments.check:
        benchmark.check()
    benchmark.write(arguments.json)
    benchmark.draw(arguments.picture)
    print(f"\nWrote {arguments.json} and {arguments.picture}")
    sys.exit(not holds)


if __name__ == "__main__":
    main()
