"""Functions on boxes that differ in one boundary do not mix, and the message shows both boxes."""

import re

import jaxtyping
import pytest
import torch

from inftydiff import (
    DDIM,
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    NoisePrediction,
    Prediction,
    Subset,
    WhiteNoise,
    as_denoiser,
    denoising_loss,
    gaussian_mollifier,
    interpolate,
    kl_divergence,
    sample,
    timesteps,
    trajectory,
    wasserstein,
)
from inftydiff.operators import Interpolation
from inftydiff.processes import CallableDenoiser

SIDES = (1.0, 1.5)
REFLECTING = Grid((4, 3), Box(SIDES))
MIXED = Grid((4, 3), Box(SIDES, ("reflecting", "periodic")))
PROCESS = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.2))
T, S = torch.tensor([0.6, 0.6]), torch.tensor([0.4, 0.4])


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def zeros(on: Grid | Subset) -> Function:
    return Function(on, torch.zeros(2, on.size, 1))


def some(grid: Grid) -> Subset:
    return Subset(grid, torch.arange(5))


def law(on: Grid) -> GaussianMeasure:
    return GaussianMeasure(zeros(on), gaussian_mollifier(0.2), WhiteNoise())


def drawn(draw, **changes):
    arguments = {
        "on": MIXED,
        "times": timesteps(3),
        "batch": 2,
        "channels": 1,
        "generator": torch.Generator().manual_seed(0),
        **changes,
    }
    return draw(DDIM(), CallableDenoiser(PROCESS, lambda x, t: Prediction(x, x)), **arguments)


MIXTURES = {
    "sum": lambda: zeros(MIXED) + zeros(REFLECTING),
    "difference": lambda: zeros(MIXED) - zeros(REFLECTING),
    "inner product": lambda: zeros(MIXED).inner(zeros(REFLECTING)),
    "restriction": lambda: zeros(MIXED).restrict(some(REFLECTING)),
    "sum on subsets": lambda: zeros(some(MIXED)) + zeros(some(REFLECTING)),
    "interpolation": lambda: interpolate(zeros(MIXED), REFLECTING),
    "posterior": lambda: PROCESS.posterior(zeros(MIXED), zeros(REFLECTING), T, S),
    "posterior on a subset": lambda: PROCESS.posterior(zeros(some(MIXED)), zeros(REFLECTING), T, S),
    "mean": lambda: law(REFLECTING).mean_on(MIXED),
    "mean on a subset": lambda: law(REFLECTING).mean_on(some(MIXED)),
    "draw": lambda: law(REFLECTING).sample(
        MIXED, batch=2, channels=1, generator=torch.Generator().manual_seed(0)
    ),
    "divergence": lambda: kl_divergence(law(MIXED), law(REFLECTING), on=MIXED),
    "distance": lambda: wasserstein(law(REFLECTING), law(MIXED), on=MIXED),
    "observations": lambda: law(REFLECTING).condition(zeros(MIXED), noise_std=0.1),
    "transfer": lambda: Interpolation(REFLECTING, some(REFLECTING))(zeros(MIXED)),
    "field": lambda: WhiteNoise().draw(
        MIXED.domain, batch=2, channels=1, generator=torch.Generator().manual_seed(0)
    )(REFLECTING),
    "points to train on": lambda: denoising_loss(
        as_denoiser(PROCESS, lambda x, t: x, predict=NoisePrediction()),
        zeros(REFLECTING),
        T,
        at=some(MIXED),
        generator=torch.Generator().manual_seed(0),
    ),
    "start of samples": lambda: drawn(sample, start=zeros(REFLECTING)),
    "start of a trajectory": lambda: drawn(trajectory, start=zeros(REFLECTING)),
}


@pytest.mark.parametrize("mix", MIXTURES.values(), ids=MIXTURES)
def test_mixed_boundaries_are_refused_by_name(mix):
    with pytest.raises(ValueError, match=re.escape(str(MIXED.domain))) as refusal:
        mix()
    assert str(REFLECTING.domain) in str(refusal.value)
