"""Guides refuse what they cannot use; one that diverges says so, and what strength to try."""

import pytest
import torch
from functions import function, subset, values
from posteriors import DATA, PROCESS, TIMES, problem

from inftydiff import (
    DDIM,
    DPS,
    Blurring,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    MomentMatching,
    Observation,
    PiGDM,
    Prediction,
    ReconstructionGuidance,
    RePaint,
    gaussian_mollifier,
    guided,
    known_points,
    known_signal,
    sample,
)
from inftydiff.operators import Integrals
from inftydiff.processes import CallableDenoiser, GuidanceDiverged, GuidedDenoiser
from inftydiff.testing import GaussianDenoiser

GRID = Grid((16, 16))
ORACLE = GaussianDenoiser(PROCESS, DATA)
LEFT = known_points(GRID.points[:, 1] < 0.5, on=GRID)
EXACT = Observation(LEFT, torch.zeros(128, 1, dtype=torch.float64))


@pytest.mark.parametrize("guide", [MomentMatching(), PiGDM(), DPS()], ids=repr)
def test_zero_noise_where_some_is_needed(guide):
    with pytest.raises(ValueError, match="needs an observation with errors; got noise_std=0"):
        guided(guide, ORACLE, EXACT)


@pytest.mark.parametrize("guide", [DPS, ReconstructionGuidance])
@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_none(guide, strength):
    with pytest.raises(ValueError, match="strength must be a finite number of at least 0; got"):
        guide(strength)


@pytest.mark.parametrize("guide", [MomentMatching, PiGDM])
def test_no_iterations_or_tolerance(guide):
    with pytest.raises(ValueError, match="A number of iterations"):
        guide(iterations=0)
    with pytest.raises(ValueError, match="A tolerance"):
        guide(tolerance=0.0)


def test_states_elsewhere():
    denoiser = guided(PiGDM(), ORACLE, Observation(LEFT, EXACT.values, 0.1))
    t = torch.full((1,), 0.5, dtype=torch.float64)
    with pytest.raises(ValueError, match="Make them for the grid that is sampled on"):
        denoiser(function(Grid((8, 8)), 0, 1, channels=1), t)
    with pytest.raises(ValueError, match="states on a full Grid"):
        denoiser(function(subset(GRID, 5, 0), 0, 1, channels=1), t)


def test_a_signal_operator_that_changes():
    process = DiffusionProcess.blurring(CosineSchedule(), Blurring(0.1))
    with pytest.raises(TypeError, match="changes with time"):
        guided(DPS(), CallableDenoiser(process, ORACLE), Observation(LEFT, EXACT.values, 0.1))


def test_reconstruction_of_what_are_no_points():
    mean = Integrals(GRID, torch.ones(1, 256, dtype=torch.float64))
    seen = Observation(mean, torch.zeros(1, 1, dtype=torch.float64), 0.1)
    with pytest.raises(ValueError, match="knows a function at points"):
        guided(ReconstructionGuidance(), ORACLE, seen)


def test_masks_that_know_nothing():
    x0 = function(GRID, 0, channels=1)
    with pytest.raises(ValueError, match="true nowhere"):
        known_signal(PROCESS, x0, torch.zeros(256, dtype=torch.bool))
    with pytest.raises(ValueError, match="has the shape"):
        known_signal(PROCESS, x0, torch.ones(8, 8, dtype=torch.bool))
    with pytest.raises(ValueError, match="coverage must be a number in"):
        known_signal(PROCESS, x0, torch.ones(256, dtype=torch.bool), coverage=1.5)
    with pytest.raises(TypeError, match="points of a Grid"):
        known_signal(PROCESS, function(subset(GRID, 5, 0), 0), torch.ones(5, dtype=torch.bool))
    thin = torch.zeros(16, 16, dtype=torch.bool)
    thin[7, 7] = True
    wide = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.2))
    with pytest.raises(ValueError, match="thinner than the mollifier is wide"):
        known_signal(wide, x0, thin)


def run(guide, seen: Observation) -> Function:
    return sample(
        DDIM(),
        guided(guide, ORACLE, seen),
        on=GRID,
        times=TIMES,
        batch=2,
        channels=1,
        generator=torch.Generator().manual_seed(0),
        start=None,
    )


@pytest.mark.parametrize("guide", [DPS, ReconstructionGuidance])
def test_what_diverges_is_reported_with_a_strength_that_does_not(guide):
    _, seen = problem("mask", 16)
    strength = 1e4
    with pytest.raises(GuidanceDiverged, match=r"diverges at t = .* Try strength=") as caught:
        run(guide(strength), seen)
    for _ in range(10):
        assert caught.value.strength is not None
        assert caught.value.strength < strength
        strength = caught.value.strength
        try:
            x = run(guide(strength), seen)
            break
        except GuidanceDiverged as error:
            caught.value.strength = error.strength
    assert x.values.isfinite().all()
    assert x.values.abs().max() < 20.0


def test_an_estimate_that_is_not_finite_is_reported():
    def broken(x_t: Function, t: torch.Tensor) -> Prediction:
        return Prediction(x_t * torch.nan, x_t)

    denoiser = guided(
        PiGDM(), CallableDenoiser(PROCESS, broken), Observation(LEFT, EXACT.values, 0.1)
    )
    x_t = Function(GRID, values(0, 1, 256, 1))
    with pytest.raises(GuidanceDiverged, match="is not finite"):
        denoiser(x_t, torch.full((1,), 0.5, dtype=torch.float64))


@pytest.mark.parametrize("other", [values(0, 0, 256, 1), values(0, 1, 256, 2)])
def test_a_shift_of_another_shape(other):
    denoiser = GuidedDenoiser(PiGDM(), ORACLE, Observation(LEFT, EXACT.values, 0.1))
    time = torch.full((1,), 0.5, dtype=torch.float64)
    at = denoiser.linearised(Function(GRID, values(0, 1, 256, 1)), time)
    with pytest.raises(ValueError, match=r"has values of the shape of the states, \(1, 256, 1\)"):
        denoiser.moved(at, Function(GRID, other))


def test_repaint_of_states_with_other_channels():
    known = known_signal(PROCESS, function(GRID, 2), torch.arange(256) < 128)
    state = Function(GRID, values(0, 1, 256, 1))
    t, s = (torch.full((1,), share, dtype=torch.float64) for share in (0.5, 0.3))
    with pytest.raises(ValueError, match="the channels of what is known, values of shape"):
        RePaint(known).step(ORACLE, state, t, s, generator=torch.Generator().manual_seed(0))
