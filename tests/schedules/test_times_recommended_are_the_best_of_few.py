"""The spacing that a rule recommends is the best of the five at fifteen calls, but for exceptions.

By W₂ of the output, exactly, for rough and smooth Matérn data under mollified diffusion, as in
``benchmarks/solvers.py``. The spacing is one of the class, and rules of first order of the
exponential family are better off with another.
"""

import inspect
from typing import get_args

import jaxtyping
import pytest
from matern_laws import LAWS, PRIORS, distance

from inftydiff.processes import StepRule, solvers
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
RULES = [
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


def best(rule: StepRule, process: str, prior: str) -> Spacing:
    return min(SPACINGS, key=lambda spacing: distance(rule, spacing, CALLS, process, prior))


def test_every_rule_that_ships_recommends_one_of_the_five():
    shipped = [getattr(solvers, name) for name in solvers.__all__]
    classes = {
        kind for kind in shipped if inspect.isclass(kind) and getattr(kind, "calls", 0) != 0
    } - {solvers.MultistepRule}
    assert classes == {type(rule) for rule in [*RULES, *OF_FIRST_ORDER, ProbabilityFlow()]}
    assert {kind.spacing for kind in classes} <= set(SPACINGS)


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_spacing_is_the_best_of_the_five(rule: StepRule, prior: str):
    assert best(rule, "mollified", prior) == rule.spacing


@pytest.mark.parametrize(("process", "prior"), LAWS)
@pytest.mark.parametrize("rule", [*RULES, *OF_FIRST_ORDER], ids=str)
def test_where_it_is_not_it_is_nearly(rule: StepRule, process: str, prior: str):
    """A sixth worse at most: white noise and rough data under Heun, and rules of first order."""
    least = distance(rule, best(rule, process, prior), CALLS, process, prior)
    assert distance(rule, rule.spacing, CALLS, process, prior) < 1.17 * least


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("rule", OF_FIRST_ORDER, ids=str)
def test_rules_of_first_order_are_the_exceptions(rule: StepRule, prior: str):
    assert rule.spacing == "log_snr"
    assert best(rule, "mollified", prior) == "karras"


@pytest.mark.parametrize("prior", PRIORS)
def test_the_adaptive_flow_has_no_use_for_one(prior: str):
    """It takes its steps itself: one step is the same in every spacing."""
    rule = ProbabilityFlow(rtol=1e-2, atol=1e-3)
    assert rule.calls is None
    assert len({distance(rule, spacing, 1, "mollified", prior) for spacing in SPACINGS}) == 1
