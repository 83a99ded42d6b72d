"""Processes with one noise level a sample have no one law to be relative to, and are refused."""

import pytest
import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    Identity,
    Prediction,
    WhiteNoise,
    gaussian_mollifier,
    timesteps,
)
from inftydiff.processes import CallableDenoiser, elbo, log_likelihood

T, GRID, LEVELS = gaussian_mollifier(0.1), Grid((4,)), torch.tensor([1.0, 2.0])
X = Function(GRID, torch.ones(2, 4, 1, dtype=torch.float64))
OPERATORS = {
    "both": (LEVELS * T, LEVELS * T),
    "noise": (T, LEVELS * T),
    "signal": (LEVELS * T, T),
    "white": (Identity(), LEVELS * Identity()),
}


def denoiser(x_t: Function, t: torch.Tensor) -> Prediction:
    return Prediction(x_t * 0.1, x_t, x_t * 0.1)


@pytest.mark.parametrize("name", sorted(OPERATORS))
@pytest.mark.parametrize("smooth_data", [False, True])
def test_one_level_a_sample(name: str, smooth_data: bool):
    S, N = OPERATORS[name]
    process = DiffusionProcess(CosineSchedule(), signal=S, noise_factor=N, noise=WhiteNoise())
    options = {"smooth_data": smooth_data}
    with pytest.raises(ValueError, match="with 2 scales, one a sample"):
        log_likelihood(CallableDenoiser(process, denoiser), X, time=0.5, **options)
    with pytest.raises(ValueError, match="with 2 scales, one a sample"):
        elbo(
            CallableDenoiser(process, denoiser),
            X,
            times=timesteps(3, end=0.1),
            generator=torch.Generator(),
            **options,
        )


@pytest.mark.thorough
def test_one_level_for_all_is_a_number():
    """A tensor without axes is one."""
    found = []
    for scale in (2.0, torch.tensor(2.0)):
        process = DiffusionProcess.mollified(CosineSchedule(), scale * T)
        found.append(log_likelihood(CallableDenoiser(process, denoiser), X, time=0.5))
    torch.testing.assert_close(*found, rtol=1e-9, atol=0.0)
