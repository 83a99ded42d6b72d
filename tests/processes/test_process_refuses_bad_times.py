"""Times out of [0, 1], not numbers, or in the wrong order are refused by name."""

import math

import pytest
import torch

from inftydiff import CosineSchedule, DiffusionProcess, Function, Grid, gaussian_mollifier

GRID = Grid((4,))
PROCESS = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.1))
X = Function(GRID, torch.zeros(1, 4, 1))


def at(time: float) -> torch.Tensor:
    return torch.tensor([time])


@pytest.mark.parametrize("time", [-0.1, 1.001, math.nan, math.inf])
@pytest.mark.parametrize(
    "ask",
    [
        lambda t: PROCESS.marginal(X, t),
        lambda t: PROCESS.transition(X, t, at(1.0)),
        lambda t: PROCESS.transition(X, at(0.0), t),
        lambda t: PROCESS.posterior(X, X, t, at(0.0)),
        lambda t: PROCESS.posterior(X, X, at(1.0), t),
    ],
    ids=["marginal", "transition from", "transition to", "posterior at", "posterior back to"],
)
def test_times_outside_the_interval_are_refused(ask, time: float):
    with pytest.raises(ValueError, match=r"Times lie in \[0, 1\]; got"):
        ask(at(time))


@pytest.mark.parametrize(("s", "t"), [(0.5, 0.5), (0.7, 0.2), (1.0, 0.0)])
@pytest.mark.parametrize(
    "ask",
    [
        lambda s, t: PROCESS.transition(X, s, t),
        lambda s, t: PROCESS.posterior(X, X, t, s),
        lambda s, t: PROCESS.transition_coefficients(s, t),
        lambda s, t: PROCESS.posterior_coefficients(t, s),
    ],
    ids=["transition", "posterior", "transition coefficients", "posterior coefficients"],
)
def test_a_step_that_does_not_go_forward_is_refused(ask, s: float, t: float):
    with pytest.raises(ValueError, match=r"between times s < t; got s = \[.*\] and t = \[.*\]"):
        ask(at(s), at(t))


def test_one_bad_pair_among_good_ones_is_refused():
    s, t = torch.tensor([0.1, 0.6]), torch.tensor([0.5, 0.6])
    with pytest.raises(ValueError, match="s < t"):
        PROCESS.posterior_coefficients(t, s)


def test_times_that_are_not_one_a_sample_are_refused():
    with pytest.raises(ValueError, match="one number a sample; got shape"):
        PROCESS.marginal(Function(GRID, torch.zeros(3, 4, 1)), torch.tensor([0.1, 0.2]))


def test_states_off_the_grid_of_the_clean_function_are_refused():
    other = Function(Grid((5,)), torch.zeros(1, 5, 1))
    with pytest.raises((ValueError, TypeError), match=r"[Gg]rid|discretisation"):
        PROCESS.posterior(other, X, at(0.5), at(0.1))
