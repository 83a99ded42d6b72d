"""A bound that is no number on functions, or is not asked for rightly, is refused."""

import math

import pytest
import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Prediction,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
    timesteps,
)
from inftydiff.processes import Blurring, CallableDenoiser, NoDensity, elbo, kl_divergence

GRID = Grid((8,))
T = gaussian_mollifier(1 / 16)
WHITE = DiffusionProcess.white(CosineSchedule())


def bound(process=WHITE, denoiser=None, x0=None, **options) -> torch.Tensor:
    options = {"times": timesteps(3, end=0.1), "generator": torch.Generator()} | options
    x0 = Function(GRID, torch.ones(2, 8, 1)) if x0 is None else x0
    says = denoiser or (lambda x, t: Prediction(x, x))
    return elbo(CallableDenoiser(process, says), x0, **options)


def test_the_transition_s_variance():
    with pytest.raises(NoDensity, match="every dimension adds a constant"):
        bound(variance="transition")


@pytest.mark.parametrize("mollified", [False, True])
def test_the_transition_s_variance_adds_a_constant_a_dimension(mollified: bool):
    """The divergence of two steps of the same mean, one with either variance."""
    width = gaussian_mollifier(1 / 64)
    schedule, noise = CosineSchedule(), WhiteNoise(0.1)
    process = DiffusionProcess.white(schedule, noise=noise)
    if mollified:
        process = DiffusionProcess.mollified(schedule, width, noise=noise)
    t, s = (torch.tensor(time, dtype=torch.float64) for time in (0.5, 0.4))
    posterior = process.posterior_coefficients(t, s).std.item()
    transition = process.transition_coefficients(s, t).std.item()
    model, right = (
        GaussianMeasure(None, std * process.noise_factor, noise) for std in (transition, posterior)
    )
    ratio = (posterior / transition) ** 2
    each = 0.5 * (ratio - 1 - math.log(ratio))
    for n in (8, 16, 32, 64):
        found = kl_divergence(right, model, on=Grid((n,))).item()
        assert found == pytest.approx(n * each, rel=1e-6)
    assert each > 0.01


def test_noise_smoother_than_the_signal():
    process = DiffusionProcess.noise_only(CosineSchedule(), T)
    with pytest.raises(NoDensity, match="N⁻¹S is unbounded"):
        bound(process)
    assert bound(process, smooth_data=True).isfinite().all()


def test_signal_operators_that_change_with_time():
    with pytest.raises(ValueError, match="does not change with time"):
        bound(DiffusionProcess.blurring(CosineSchedule(), Blurring(0.1)))


def test_times():
    with pytest.raises(NoDensity, match="At t = 0"):
        bound(times=timesteps(3))
    for times in ([0.5], [0.2, 0.5], [0.5, 0.5, 0.1]):
        with pytest.raises(ValueError, match="two decreasing times"):
            bound(times=torch.tensor(times))
    with pytest.raises(ValueError, match=r"Times lie in \[0, 1\]"):
        bound(times=torch.tensor([1.5, 0.5]))


def test_data_off_a_full_grid():
    subset = Subset(GRID, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="Data live on a full Grid"):
        bound(x0=Function(subset, torch.ones(2, 2, 1)))


def test_values_that_are_not_finite():
    with pytest.raises(ValueError, match="Data must be finite"):
        bound(x0=Function(GRID, torch.full((2, 8, 1), torch.inf)))
    with pytest.raises(ValueError, match="denoiser's answer must be finite"):
        bound(denoiser=lambda x, t: Prediction(x * float("nan"), x))


def test_noise_lost_to_rounding():
    wide = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.3))
    with pytest.raises(ValueError, match="cannot be inverted on Grid.*cutoff=") as refusal:
        bound(wide)
    cutoff = float(str(refusal.value).split("cutoff=")[1].split(",")[0])
    assert bound(wide, cutoff=cutoff).isfinite().all()
