"""The best solver and spacing at fifteen calls are at least as near as DDIM at a hundred, uniform.

W₂ to the law of the data, exactly: by the gain of each mode for Matérn data, and by quadrature for
a mixture.
"""

import math

import jaxtyping
import pytest
import torch
from matern_laws import LAWS, PRIORS, PROCESSES, distance, times_of

from inftydiff import DDIM, DPMSolverPP, Function, GaussianMeasure, Grid, Heun, UniPC
from inftydiff.processes import Solver
from inftydiff.testing.mixture_output import mixture_output_wasserstein
from inftydiff.testing.oracles import MixtureDenoiser

CALLS, MANY = 15, 100
SOLVERS = [
    DDIM(),
    Heun(),
    DPMSolverPP(2),
    DPMSolverPP(3),
    DPMSolverPP(2, stochastic=True),
    UniPC(3),
]
"""Candidates, each in the spacing that it recommends."""


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks, which take longer than the arithmetic of so small steps."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.thorough
@pytest.mark.parametrize(("process", "prior"), LAWS)
def test_on_matern_data(process: str, prior: str):
    found = {solver: distance(solver, solver.spacing, CALLS, process, prior) for solver in SOLVERS}
    wanted = distance(DDIM(), "uniform", MANY, process, prior)
    best = min(found, key=found.__getitem__)
    assert found[best] <= wanted
    assert best == UniPC(3)
    assert found[best] < wanted / 4.0


@pytest.mark.thorough
@pytest.mark.parametrize("process", PROCESSES)
def test_on_a_mixture(process: str):
    """Of two rough fields with opposite means."""
    grid, rough = Grid((32, 32)), PRIORS["rough"]
    wave = Function(grid, torch.cos(math.pi * grid.points[:, :1]))
    parts = [GaussianMeasure(wave * sign, rough.factor, rough.noise) for sign in (1.0, -1.0)]
    mixture = MixtureDenoiser(PROCESSES[process], (0.3, 0.7), parts)

    def reached(solver: Solver, spacing: str, calls: int) -> float:
        return mixture_output_wasserstein(
            solver,
            mixture,
            on=grid,
            times=times_of(solver, spacing, calls),
            generator=torch.Generator().manual_seed(0),
        )

    found = {
        solver: reached(solver, solver.spacing, CALLS)
        for solver in (DPMSolverPP(2), UniPC(2), UniPC(3))
    }
    wanted = reached(DDIM(), "uniform", MANY)
    best = min(found, key=found.__getitem__)
    assert found[best] <= wanted
    assert best == UniPC(3)
    assert found[best] < wanted / 4.0
