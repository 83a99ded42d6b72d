"""The projection onto the range of S keeps constants, whatever S makes of them."""

import pytest
import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    Identity,
    Prediction,
    gaussian_mollifier,
)
from inftydiff.pipelines.range_projection import range_projection
from inftydiff.processes import CallableDenoiser

T, GRID = gaussian_mollifier(0.1), Grid((6,))


def denoiser(x_t: Function, t: torch.Tensor) -> Prediction:
    return Prediction(x_t, x_t)


@pytest.mark.parametrize("scale", [1.0, 0.5, -3.0])
def test_constants_of_multiples(scale: float):
    process = DiffusionProcess.mollified(CosineSchedule(), scale * T)
    x = Function(GRID, torch.full((1, 6, 1), 2.0, dtype=torch.float64))
    found = range_projection(CallableDenoiser(process, denoiser))(x, torch.tensor([0.5])).signal
    torch.testing.assert_close(found.values, x.values)


def test_an_operator_that_keeps_nothing_of_them():
    with pytest.raises(ValueError, match="keeps something of constants"):
        range_projection(
            CallableDenoiser(DiffusionProcess.mollified(CosineSchedule(), T - T), denoiser)
        )
    with pytest.raises(TypeError, match="inverts a spectral operator"):
        range_projection(
            CallableDenoiser(DiffusionProcess.mollified(CosineSchedule(), Identity()), denoiser)
        )
