"""A perfect network, of whatever parameterisation, read as a denoiser is the oracle again."""

import pytest
import torch
from dense_oracles import process_and_data, state
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    GaussianMeasure,
    Grid,
    Identity,
    NoisePrediction,
    Scattered,
    SignalPrediction,
    Subset,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    gaussian_mollifier,
)
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.processes import Blurring
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.oracles import MixtureDenoiser
from inftydiff.testing.strategies import grids, seeds

PREDICT = (NoisePrediction(), SignalPrediction(), CleanPrediction(), VelocityPrediction())
EVERY = pytest.mark.parametrize("predict", PREDICT, ids=lambda p: type(p).__name__)


def oracle_of(data, process, law: GaussianMeasure, grid: Grid, mixed: bool, seed: int):
    if not mixed:
        return GaussianDenoiser(process, law)
    mean = state(grid, 1, 2, seed)
    shifted = GaussianMeasure(mean, law.factor, law.noise)
    wider = GaussianMeasure(None, 2.0 * law.factor, law.noise)
    return MixtureDenoiser(process, (0.3, 0.7), (shifted, wider))


def same_as_oracle(oracle, predict, x_t, t) -> None:
    again = as_denoiser(oracle.process, oracle.as_model(predict), predict=predict)
    found, expected = again(x_t, t), oracle(x_t, t)
    alpha, sigma = oracle.process.schedule.alpha(t), oracle.process.schedule.sigma(t)
    for name, amplitude in (("signal", alpha), ("noise", sigma)):
        value = getattr(expected, name).values
        scale = x_t.values.abs().max().item() / min(1.0, amplitude.min().item())
        torch.testing.assert_close(
            getattr(found, name).values, value, rtol=1e-8, atol=1e-9 * max(1.0, scale)
        )


@pytest.mark.thorough
@EVERY
@given(
    data=st.data(),
    grid=grids(most_dim=2, most=16, boundaries=BOUNDARIES),
    mixed=st.booleans(),
    blurring=st.booleans(),
    time=st.floats(0.1, 0.9),
    seed=seeds(),
)
def test_on_grids(predict, data, grid: Grid, mixed: bool, blurring: bool, time: float, seed: int):
    process, law = process_and_data(data, grid)
    if blurring:
        process = DiffusionProcess.blurring(process.schedule, Blurring(0.2))
    oracle = oracle_of(data, process, law, grid, mixed, seed)
    t = torch.full((2,), time, dtype=torch.float64)
    same_as_oracle(oracle, predict, state(grid, 2, 2, seed), t)


@EVERY
@pytest.mark.parametrize("mixed", [False, True])
def test_on_subsets_and_scattered_points(predict, mixed: bool):
    grid = Grid((4, 4))
    law = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
    parts = (law, GaussianMeasure(None, 3.0 * law.factor, law.noise))
    t = torch.tensor([0.3, 0.8], dtype=torch.float64)
    T = gaussian_mollifier(0.12)
    for on in (Subset(grid, torch.tensor([1, 7, 12])), Scattered(grid.points[[1, 7, 12]])):
        S = Identity() if isinstance(predict, CleanPrediction) else T
        process = DiffusionProcess(
            CosineSchedule(), signal=S, noise_factor=T, noise=WhiteNoise(0.3)
        )
        oracle = (
            MixtureDenoiser(process, (0.5, 0.5), parts) if mixed else GaussianDenoiser(process, law)
        )
        same_as_oracle(oracle, predict, state(on, 2, 1, 0), t)


def test_a_clean_prediction_is_the_conditional_mean_if_the_data_have_no_modes_above_the_grid_s():
    grid = Grid((16,))
    T, t = gaussian_mollifier(1 / 16), torch.tensor([0.2, 0.7], dtype=torch.float64)
    process = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.25))
    oracle = GaussianDenoiser(
        process, GaussianMeasure(None, gaussian_mollifier(0.25), WhiteNoise())
    )
    x_t = state(grid, 2, 1, 0)
    output = oracle.as_model(CleanPrediction())(x_t, t)
    torch.testing.assert_close(output.values, oracle(x_t, t).clean.values)


def test_data_without_values_off_a_lattice_cannot_be_predicted_there():
    T = gaussian_mollifier(0.1)
    process = DiffusionProcess.mollified(CosineSchedule(), T)
    oracle = GaussianDenoiser(process, GaussianMeasure(None, Identity(), WhiteNoise()))
    x_t = state(Scattered(torch.tensor([[0.3], [0.7]])), 1, 1, 0)
    t = torch.tensor([0.5], dtype=torch.float64)
    assert oracle(x_t, t).clean is None
    same_as_oracle(oracle, NoisePrediction(), x_t, t)
    with pytest.raises(ValueError, match="no values off a lattice"):
        oracle.as_model(CleanPrediction())(x_t, t)
