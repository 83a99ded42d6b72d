"""A Function takes floating-point values whose axes are those of its discretisation."""

import jaxtyping
import pytest
import torch
from functions import discretisation, grid

from inftydiff.operators import Function


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch):
    """Without the test suite's own type checks, which would refuse some of this first."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("shape", [(11, 2), (2, 11, 2), (12,), (2, 1), (2, 12)])
def test_on_a_grid(shape):
    with pytest.raises(ValueError, match=r"shape \(\*batch, 12, channels\); got"):
        Function(grid(3, 4), torch.zeros(shape))


@pytest.mark.parametrize("kind", ["subsets", "clouds"])
@pytest.mark.parametrize("shape", [(6, 2), (2, 6, 2), (3, 5, 2), (3, 1, 6, 2)])
def test_on_points_of_three_samples(kind, shape):
    with pytest.raises(ValueError, match=r"shape \(\*batch, 3, 6, channels\); got"):
        Function(discretisation(kind, grid(3, 4), 0), torch.zeros(shape))


@pytest.mark.parametrize("values", [torch.zeros(4, 1).long(), torch.zeros(4, 1).cfloat(), [[0.0]]])
def test_values_that_are_not_floating_point(values):
    with pytest.raises(TypeError, match="floating-point tensor"):
        Function(grid(4), values)
