"""Observations refuse what cannot be, and say what to do."""

import pytest
import torch
from functions import function, grid, scattered, subset

from inftydiff import Box, Function, Grid, Identity, Observation, Scattered, observe
from inftydiff.operators import (
    CellAverages,
    Evaluation,
    Integrals,
    Interpolation,
    Restriction,
    cell_averages,
    exact_inverse,
    fourier_samples,
    gaussian_mollifier,
    known_points,
    point_values,
    region_averages,
)
from inftydiff.processes import Prediction

ON = Grid((4, 4))
LEFT = known_points(ON.points[:, 1] < 0.5, on=ON)
VALUES = torch.zeros(8, 1, dtype=torch.float64)


def test_no_points():
    with pytest.raises(ValueError, match="true nowhere: nothing is observed"):
        known_points(torch.zeros(4, 4, dtype=torch.bool), on=ON)
    with pytest.raises(ValueError, match="at least one"):
        point_values(Scattered(torch.zeros(0, 2)), on=ON)
    with pytest.raises(ValueError, match="at least one function"):
        Integrals(ON, torch.zeros(0, 16))
    with pytest.raises(ValueError, match="at least one of each"):
        Observation(lambda f: f.values, torch.zeros(0, 1))


@pytest.mark.parametrize("shape", [(4, 5), (15,), (1, 16)])
def test_a_mask_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"has the shape \(4, 4\) or \(16,\); got"):
        known_points(torch.ones(shape, dtype=torch.bool), on=ON)


def test_a_mask_of_numbers():
    with pytest.raises(TypeError, match="A mask is boolean"):
        known_points(torch.ones(4, 4), on=ON)


def test_two_values_of_one_point_without_noise():
    twice = point_values(Scattered(torch.tensor([[0.3, 0.6], [0.7, 0.1], [0.3, 0.6]])), on=ON)
    values = torch.tensor([[1.0], [2.0], [3.0]])
    with pytest.raises(ValueError, match="values 0 and 2 are of one and the same functional"):
        Observation(twice, values)
    Observation(twice, values, noise_std=0.1)
    Observation(twice, torch.tensor([[1.0], [2.0], [1.0]]))


def test_two_values_of_one_cell_without_noise_in_one_sample():
    twice = Integrals(ON, torch.ones(2, 16, dtype=torch.float64))
    values = torch.zeros(3, 2, 1, dtype=torch.float64)
    values[1, 1] = 1.0
    with pytest.raises(ValueError, match="contradicts itself"):
        Observation(twice, values)


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_a_deviation_that_is_none(noise):
    with pytest.raises(ValueError, match="a finite number of at least 0"):
        Observation(LEFT, VALUES, noise_std=noise)


def test_values_that_are_not_finite():
    with pytest.raises(ValueError, match="Observed values must be finite"):
        Observation(LEFT, torch.full((8, 1), torch.nan))


@pytest.mark.parametrize("shape", [(7, 1), (2, 9, 1)])
def test_values_of_another_number(shape):
    with pytest.raises(ValueError, match="one value a functional, 8 of them"):
        Observation(LEFT, torch.zeros(shape))


def test_functions_on_another_grid_or_domain():
    for on in (Grid((8, 8)), Grid((4, 4), Box((1.0, 2.0)))):
        with pytest.raises(ValueError, match="Make them for the grid that is sampled on"):
            LEFT(function(on, 0))
    with pytest.raises(ValueError, match="one domain"):
        point_values(Scattered(torch.rand(3, 2), domain=Box((1.0, 1.0), "periodic")), on=ON)
    with pytest.raises(ValueError, match="refinement"):
        cell_averages(Grid((3, 3)), on=ON)
    with pytest.raises(ValueError, match="a grid to a subset of it"):
        Restriction(ON, subset(Grid((2, 2)), 2, 0))
    with pytest.raises(ValueError, match="refinement"):
        CellAverages(ON, Grid((4, 4), Box((1.0, 2.0))))


def test_numbers_of_another_count():
    with pytest.raises(ValueError, match="There are 8 functionals"):
        LEFT.adjoint(torch.zeros(7, 1))


def test_one_set_of_points_a_sample():
    on = grid(4, 3)
    with pytest.raises(ValueError, match="the same for all samples"):
        point_values(scattered(on.domain, 4, 0, batch=2), on=on)


def test_points_of_no_weight():
    points = Scattered(torch.rand(2, 2), weights=torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match="has the weight zero"):
        Evaluation(Interpolation(ON, points), ON)


def test_regions_and_waves_of_other_shapes():
    with pytest.raises(ValueError, match="one entry a point, 16"):
        region_averages(torch.ones(2, 15, dtype=torch.bool), on=ON)
    with pytest.raises(ValueError, match="no cells"):
        region_averages(torch.zeros(2, 16, dtype=torch.bool), on=ON)
    with pytest.raises(ValueError, match=r"\(waves, 2\)"):
        fourier_samples(torch.zeros(3, 1), on=ON)


def test_states_of_another_batch_or_channels():
    seen = Observation(LEFT, torch.zeros(3, 8, 1))
    with pytest.raises(ValueError, match="batch of 3; the states have one of 2"):
        seen.read_signal(function(ON, 0, 2, channels=1))
    with pytest.raises(ValueError, match="one value a functional and channel"):
        seen.read_signal(function(ON, 0, 3, channels=2))


def test_a_likelihood_without_noise():
    with pytest.raises(ValueError, match="needs an observation with errors; got noise_std=0"):
        Observation(LEFT, VALUES).log_likelihood(function(ON, 0, 1, channels=1))


def test_an_inverse_that_is_none():
    with pytest.raises(ValueError, match="no useful inverse .* Take a coarser grid"):
        exact_inverse(gaussian_mollifier(0.5), on=Grid((16, 16)))
    with pytest.raises(TypeError, match="that of a spectral operator"):
        exact_inverse(Interpolation(ON, ON), on=ON)
    assert exact_inverse(Identity(), on=ON) == Identity()


def test_what_is_read_is_the_clean_estimate_if_asked():
    signal, clean = function(ON, 0, 1, channels=1), function(ON, 1, 1, channels=1)
    both = Prediction(signal, signal, clean)
    assert torch.equal(Observation(LEFT, VALUES).read(both), LEFT(signal))
    assert torch.equal(Observation(LEFT, VALUES, use_clean=True).read(both), LEFT(clean))
    alone = Prediction(signal, signal)
    assert torch.equal(Observation(LEFT, VALUES, use_clean=True).read(alone), LEFT(signal))


def test_errors_are_keyed_by_sample():
    x0 = function(ON, 0, 4, channels=1)
    first = Function(ON, x0.values[:2])

    def drawn(f):
        return observe(LEFT, f, noise_std=0.5, generator=torch.Generator().manual_seed(1)).values

    torch.testing.assert_close(drawn(x0)[:2], drawn(first))
    errors = (drawn(x0) - LEFT(x0)) / 0.5
    assert 0.5 < errors.std() < 1.5
