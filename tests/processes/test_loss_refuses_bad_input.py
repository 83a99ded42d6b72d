"""A loss of functions, times or a subset that do not fit together is refused, and says why."""

import jaxtyping
import pytest
import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    NoisePrediction,
    Scattered,
    Subset,
    as_denoiser,
    denoising_loss,
    gaussian_mollifier,
)

GRID = Grid((4, 4))
SUBSET = Subset(GRID, torch.arange(5))
PROCESS = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.1))


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def zeros(on, *batch: int) -> Function:
    return Function(on, torch.zeros(*batch, on.size, 1))


def loss(x0=None, t=None, model=lambda x, t: x, **changes):
    x0 = zeros(GRID, 2) if x0 is None else x0
    t = torch.tensor([0.2, 0.8]) if t is None else t
    denoiser = as_denoiser(PROCESS, model, predict=NoisePrediction())
    return denoising_loss(denoiser, x0, t, **{"generator": torch.Generator(), **changes})


@pytest.mark.parametrize("on", [SUBSET, Scattered(GRID.points)])
def test_clean_functions_that_are_not_on_a_full_grid(on):
    kind = type(on).__name__
    with pytest.raises(ValueError, match=rf"full Grid \(mollify, then restrict\).*got {kind}"):
        loss(zeros(on, 2))


@pytest.mark.parametrize("batch", [(), (2, 2)])
def test_values_without_one_batch_axis(batch: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"\(batch, points, channels\); got Grid"):
        loss(zeros(GRID, *batch))


@pytest.mark.parametrize("t", [[0.5], [0.1, 0.2, 0.3]])
def test_times_that_are_not_one_a_sample(t: list[float]):
    with pytest.raises(ValueError, match=r"One time a sample: expected \(2,\); got shape"):
        loss(t=torch.tensor(t))


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_times_outside_the_interval(bad: float):
    with pytest.raises(ValueError, match=r"Times lie in \[0, 1\]"):
        loss(t=torch.tensor([0.5, bad]))


def test_a_subset_of_another_grid():
    with pytest.raises(ValueError, match="Subset of its own grid"):
        loss(at=Subset(Grid((5, 4)), torch.arange(5)))


def test_a_subset_with_another_batch():
    at = Subset(GRID, torch.arange(5).expand(3, -1).clone())
    with pytest.raises(ValueError, match="subset has 3 samples"):
        loss(at=at)


def test_a_model_that_answers_elsewhere():
    with pytest.raises(ValueError, match="different discretisations"):
        loss(at=SUBSET, model=lambda x, t: zeros(GRID, 2))


def test_an_unknown_weight():
    with pytest.raises(ValueError, match=r"weight of a loss must be one of 'simple'; got 'elbo'"):
        loss(weight="elbo")
