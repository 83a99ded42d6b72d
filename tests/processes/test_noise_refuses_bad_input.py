"""What noise cannot do is refused, with the way to do it."""

import math

import pytest
import torch

from inftydiff import Box, Grid, Scattered, WhiteNoise, gaussian_mollifier

UNIT = Box((1.0, 1.0))
POINTS = Scattered(torch.rand(5, 2, generator=torch.Generator().manual_seed(0)))


def draw(**changes):
    sizes = {"batch": 1, "channels": 1, **changes}
    return WhiteNoise().draw(UNIT, generator=torch.Generator().manual_seed(0), **sizes)


@pytest.mark.parametrize("intensity", [0.0, -1.0, math.nan, math.inf])
def test_an_intensity_that_is_not_positive(intensity: float):
    with pytest.raises(ValueError, match=r"A noise's intensity must be a finite number above 0"):
        WhiteNoise(intensity)


@pytest.mark.parametrize("width", [0.0, -0.1, math.nan, math.inf])
def test_a_width_that_is_not_positive(width: float):
    with pytest.raises(ValueError, match=r"width of a Gaussian mollifier must be .* above 0; got"):
        gaussian_mollifier(width)


def test_white_noise_off_a_lattice():
    message = r"White noise has no values off a lattice; got Scattered\(5 points\)\. "
    message += "Draw it on a Grid and restrict, or mollify it."
    with pytest.raises(ValueError, match=message):
        draw()(POINTS)
    with pytest.raises(ValueError, match=message):
        draw().covariance(POINTS)
    with pytest.raises(ValueError, match=message):
        (draw() + gaussian_mollifier(0.1)(draw()))(POINTS)


def test_a_field_of_too_many_modes():
    field = gaussian_mollifier(1e-6)(draw())
    for read in (field, field.covariance, field.mode_variances):
        with pytest.raises(ValueError, match=r"\d+ × \d+ modes, too many .* cut-off"):
            read(Grid((4, 4)))


@pytest.mark.parametrize(
    "on", [Grid((4, 4), Box((1.0, 2.0))), Grid((4, 4), Box((1.0, 1.0), "periodic")), Grid((4,))]
)
def test_another_domain(on: Grid):
    with pytest.raises(ValueError, match=r"drawn on Box\(.*\); it cannot be read on Box"):
        draw()(on)
    with pytest.raises(ValueError, match=r"drawn on Box\(.*\); it cannot be read on Box"):
        draw().covariance(Grid((2, 2)), on)


@pytest.mark.parametrize("sizes", [{"batch": 0}, {"batch": -1}, {"channels": 0}])
def test_empty_draws(sizes: dict):
    name = next(iter(sizes)).removesuffix("s")
    with pytest.raises(ValueError, match=f"{name}.* must be a whole number of at least 1"):
        draw(**sizes)
