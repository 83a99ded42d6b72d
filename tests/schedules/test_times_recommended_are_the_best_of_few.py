"""The spacing that a solver recommends is the best of five at fifteen calls, but for exceptions.

By W₂ of the output, exactly, for rough and smooth Matérn data under mollified diffusion, as in
``benchmarks/solvers.py``. The spacing is one of the class, and solvers of first order of the
exponential family are better off with another.
"""

import inspect
from typing import get_args

import jaxtyping
import pytest
from matern_laws import LAWS, PRIORS, distance

from inftydiff.processes import Solver, solvers
from inftydiff.processes.solvers import (
    DDIM,
    DDPM,
    DPMSolverPP,
    EulerMaruyama,
    Heun,
    ProbabilityFlow,
    UniPC,
)
from inftydiff.processes.times import Spacing

CALLS = 15
SPACINGS = get_args(Spacing)
SOLVERS = [
    DDPM(),
    DDPM("transition"),
    DDIM(),
    DDIM(0.5),
    DDIM(1.0),
    EulerMaruyama(),
    Heun(),
    Heun("ratio"),
    DPMSolverPP(2),
    DPMSolverPP(3),
    DPMSolverPP(3, as_diffusers=True),
    DPMSolverPP(2, stochastic=True),
    UniPC(2),
    UniPC(3),
]
OF_FIRST_ORDER = [DPMSolverPP(1), DPMSolverPP(1, stochastic=True), UniPC(1)]
"""Exceptions: ``karras`` is better for them than the ``log_snr`` of their class."""


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks, which take longer than the arithmetic of so small steps."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def best(solver: Solver, process: str, prior: str) -> Spacing:
    return min(SPACINGS, key=lambda spacing: distance(solver, spacing, CALLS, process, prior))


def test_every_rule_that_ships_recommends_one_of_the_five():
    shipped = [getattr(solvers, name) for name in solvers.__all__]
    classes = {
        kind for kind in shipped if inspect.isclass(kind) and getattr(kind, "calls", 0) != 0
    } - {solvers.MultistepSolver}
    assert classes == {type(solver) for solver in [*SOLVERS, *OF_FIRST_ORDER, ProbabilityFlow()]}
    assert {kind.spacing for kind in classes} <= set(SPACINGS)


@pytest.mark.thorough
@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_the_spacing_is_the_best_of_the_five(solver: Solver, prior: str):
    assert best(solver, "mollified", prior) == solver.spacing


@pytest.mark.thorough
@pytest.mark.parametrize(("process", "prior"), LAWS)
@pytest.mark.parametrize("solver", [*SOLVERS, *OF_FIRST_ORDER], ids=str)
def test_where_it_is_not_it_is_nearly(solver: Solver, process: str, prior: str):
    """A sixth worse at most: white noise and rough data under Heun, and solvers of first order."""
    least = distance(solver, best(solver, process, prior), CALLS, process, prior)
    assert distance(solver, solver.spacing, CALLS, process, prior) < 1.17 * least


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("solver", OF_FIRST_ORDER, ids=str)
def test_rules_of_first_order_are_the_exceptions(solver: Solver, prior: str):
    assert solver.spacing == "log_snr"
    assert best(solver, "mollified", prior) == "karras"


@pytest.mark.parametrize("prior", PRIORS)
def test_the_adaptive_flow_has_no_use_for_one(prior: str):
    """It takes its steps itself: one step is the same in every spacing."""
    solver = ProbabilityFlow(rtol=1e-2, atol=1e-3)
    assert solver.calls is None
    assert len({distance(solver, spacing, 1, "mollified", prior) for spacing in SPACINGS}) == 1
