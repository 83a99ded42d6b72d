"""Trace-class diffusion takes noise that is a function on its domain, and refuses all other."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    Grid,
    Identity,
    LinearOperator,
    WhiteNoise,
    gaussian_mollifier,
    matern,
)
from inftydiff.operators import bessel, truncated_gaussian_mollifier
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.testing.strategies import boxes

COSINE = CosineSchedule()
CUBE = Box((1.0, 1.0, 1.0))


def process(factor: LinearOperator, domain: Box | Point) -> DiffusionProcess:
    return DiffusionProcess.trace_class(COSINE, factor, domain=domain, noise=WhiteNoise(0.5))


@given(
    box=boxes(most_dim=3, boundaries=BOUNDARIES),
    smoothness=st.floats(0.01, 5.0),
    length=st.floats(0.05, 3.0),
)
def test_matern_noise_of_the_domain_s_dimension_is_taken(
    box: Box, smoothness: float, length: float
):
    factor = matern(smoothness, length, dim=box.dim)
    made = process(factor, box)
    assert made.signal == Identity()
    assert made.noise_factor is factor
    assert made.noise == WhiteNoise(0.5)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_cut_off_does_not_matter(dim: int):
    box = Box((1.0,) * dim)
    process(matern(0.3, 0.1, dim=dim, cutoff=math.inf), box)
    process(matern(0.3, 0.1, dim=dim, cutoff=5.0), box)
    with pytest.raises(ValueError, match="is not trace-class"):
        process(bessel(0.5 * dim, cutoff=5.0), box)


@pytest.mark.parametrize("length", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("dim", [1, 2])
def test_matern_noise_of_fewer_dimensions_is_refused_where_it_is_too_rough(dim: int, length: float):
    message = r"is not trace-class\. .* in d = 3 it has to fall faster than λ\^-0\.75\. Take"
    with pytest.raises(ValueError, match=message):
        process(matern(0.3, length, dim=dim), CUBE)
    process(matern(3.0, length, dim=dim), CUBE)


@given(box=boxes(most_dim=3, boundaries=BOUNDARIES))
def test_white_noise_is_refused_but_for_a_point(box: Box):
    for factor in (Identity(), Identity() + gaussian_mollifier(0.1)):
        with pytest.raises(ValueError, match=r"is not trace-class\. The multiplier does not decay"):
            process(factor, box)
        process(factor, Point())


@pytest.mark.parametrize(
    "factor",
    [
        truncated_gaussian_mollifier(0.1, dim=2),
        matern(1.5, 0.1, dim=2) * torch.tensor([1.0, 2.0]),
    ],
    ids=["oscillating", "one scale a sample"],
)
def test_noise_of_which_it_is_not_known_is_refused(factor: LinearOperator):
    with pytest.raises(ValueError, match=r"cannot be shown to be trace-class\. .* Take a smoother"):
        process(factor, Box((1.0, 1.0)))


def test_the_total_variance_stays_as_the_grid_is_refined():
    """As that of white noise does not."""
    made = process(matern(1.5, 0.2, dim=2), Box((1.0, 1.0)))
    smooth, white = (
        [law.mode_variances(Grid((n, n))).sum().item() for n in (16, 32, 64)]
        for law in (made.prior, DiffusionProcess.white(COSINE, noise=WhiteNoise(0.5)).prior)
    )
    assert smooth[1:] == pytest.approx(smooth[:1] * 2, rel=1e-3)
    assert white == pytest.approx([white[0], 4 * white[0], 16 * white[0]], rel=1e-12)
