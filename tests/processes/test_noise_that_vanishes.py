"""Noise of an amplitude whose square underflows reads as zero, on grids and at points."""

import pytest
import torch

from inftydiff import Box, Grid, Scattered, WhiteNoise, gaussian_mollifier


@pytest.mark.parametrize("scale", [0.0, 5e-324, 1e-310, 1e-250])
def test_it_is_zero_everywhere(scale: float):
    white = WhiteNoise().draw(
        Box((1.0,)), batch=1, channels=1, generator=torch.Generator().manual_seed(0)
    )
    field = scale * gaussian_mollifier(0.1)
    places = Grid((8,)), Scattered(torch.tensor([[0.3]], dtype=torch.float64))
    for on in places:
        assert field(white)(on, dtype=torch.float64).values.abs().max() < 1e-200
        assert not field(white).covariance(on).any()
