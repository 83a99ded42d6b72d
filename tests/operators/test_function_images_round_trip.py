"""A picture becomes a function on cells of equal sides, row by row, and comes back unchanged."""

import math

import pytest
import torch
from functions import discretisation, function, grid, values
from torch.testing import assert_close

from inftydiff.operators import Box, Function, Grid


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("size", [(4, 4), (3, 7), (1, 2)])
def test_there_and_back(batch, size):
    image = values(0, *batch, 5, *size)
    f = Function.from_image(image)
    assert f.batch == batch
    assert f.channels == 5
    assert_close(f.to_image(), image, rtol=0, atol=0)
    assert_close(Function.from_image(f.to_image(), f.on.domain).values, f.values)


def test_cells_are_square_and_the_longest_side_is_one():
    on = Function.from_image(torch.zeros(3, 4, 10)).on
    assert on == Grid((4, 10), Box((0.4, 1.0)))
    assert math.isclose(on.spacing[0], on.spacing[1])


def test_the_first_axis_runs_down_the_rows():
    image = values(0, 1, 3, 5)
    f = Function.from_image(image)
    rows, columns = (f.on.points / torch.tensor(f.on.spacing)).floor().long().unbind(-1)
    assert_close(f.values[:, 0], image[0, rows, columns])


@pytest.mark.parametrize("size", [(6,), (2, 3, 4)])
def test_other_numbers_of_axes_with_a_domain(size):
    image, box = values(0, 2, 5, *size), grid(*size).domain
    f = Function.from_image(image, box)
    assert f.on == Grid(size, box)
    assert_close(f.to_image(), image, rtol=0, atol=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(bad):
    image = torch.zeros(3, 4, 4)
    image[0, 1, 2] = bad
    with pytest.raises(ValueError, match=r"picture's values must be finite; got 1 NaN or infinite"):
        Function.from_image(image)


def test_missing_axes_are_refused():
    with pytest.raises((ValueError, TypeError)):
        Function.from_image(torch.zeros(4, 4))


def test_only_grids_have_pictures():
    on = discretisation("subset", grid(3, 4), 0)
    with pytest.raises(TypeError, match=r"Only a function on a Grid is a picture.*interpolate"):
        function(on, 0).to_image()
