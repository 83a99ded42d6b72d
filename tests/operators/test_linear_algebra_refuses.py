"""The algebra refuses what is not a scalar, and functions of different discretisations."""

import jaxtyping
import pytest
import torch
from functions import function, grid

from inftydiff.operators import Identity, Interpolation, LinearOperator, gaussian_mollifier
from inftydiff.operators.linear import Scaled

T = gaussian_mollifier(0.1)


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch):
    """Without the test suite's own type checks, which would refuse some of this first."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("scale", ["2", None, T])
def test_scalars_only(scale):
    with pytest.raises(TypeError, match=r"a number or by a tensor.*Compose two operators with @"):
        Scaled(scale, T)


def test_scalars_of_another_batch():
    f = function(grid(4), 0, 2)
    with pytest.raises(ValueError, match=r"shape \(2,\), one number a sample; got shape \(3,\)"):
        (torch.ones(3) * T)(f)


def test_sums_of_operators_to_different_grids():
    coarse, fine = grid(4), grid(8)
    mixed = Identity() + Interpolation(coarse, fine)
    with pytest.raises(ValueError, match="different discretisations"):
        mixed(function(coarse, 0))


def test_the_base_class_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        LinearOperator()
