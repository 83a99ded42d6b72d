"""Functions are added, subtracted and scaled point by point, on their own discretisation."""

import pytest
import torch
from functions import discretisation, function, grid, kinds, seeds, values
from hypothesis import given
from torch.testing import assert_close


@given(kind=kinds, seed=seeds)
def test_operations(kind, seed):
    on = discretisation(kind, grid(3, 4), seed)
    f, g, c = function(on, seed, 3), function(on, seed + 1, 3), values(seed, 3)
    results = {
        f + g: f.values + g.values,
        f - g: f.values - g.values,
        -f: -f.values,
        2.5 * f: 2.5 * f.values,
        f * 2.5: 2.5 * f.values,
        c * f: c[:, None, None] * f.values,
        f * c: c[:, None, None] * f.values,
        f * c[0]: c[0] * f.values,
    }
    for result, expected in results.items():
        assert result.on is on
        assert_close(result.values, expected)


def test_a_scale_for_each_sample_of_two_batch_axes():
    f, c = function(grid(4), 0, 2, 3), values(1, 2, 3)
    assert_close((f * c).values, f.values * c[:, :, None, None])


@pytest.mark.parametrize("shape", [(2,), (3, 1), (3, 4)])
def test_scales_of_another_batch_are_refused(shape):
    with pytest.raises(
        ValueError, match=r"number or a tensor of shape \(3,\), one number a sample"
    ):
        function(grid(4), 0, 3) * torch.ones(shape)


@pytest.mark.parametrize("operation", ["__add__", "__sub__", "inner"])
def test_other_discretisations_are_refused(operation):
    f = function(grid(4), 0, 3)
    for on in (
        grid(5),
        discretisation("subsets", grid(6), 0),
        discretisation("points", grid(4), 0),
    ):
        with pytest.raises(ValueError, match=r"different discretisations.*Restrict or interpolate"):
            getattr(f, operation)(function(on, 0, 3))
    with pytest.raises(TypeError):
        getattr(f, operation)(f.values)
