"""At ratio one a subset of all points is its grid, and a subset is its grid where it has points."""

import torch
from functions import subset
from hypothesis import given, settings
from hypothesis import strategies as st
from local_operators import Case, cases, coarse, every_backend, outcome, whole
from torch.testing import assert_close

from inftydiff.operators.local import local_operator, neighbours


@given(case=cases(whole | coarse, "grid"))
def test_a_subset_of_all_points_is_the_grid(case):
    every = subset(case.grid, case.grid.size, case.seed)
    near = neighbours(every, size=case.size, cell=case.cell)
    image = local_operator(case.values[..., every.index, :], case.weight, near)
    expected = local_operator(case.values, case.weight, case.map)
    assert_close(image, expected[..., every.index, :], rtol=0, atol=1e-12)


@every_backend
@settings(max_examples=5)
@given(seed=st.integers(0, 2**31), points=st.integers(1, 20))
def test_a_subset_is_the_grid_with_zeros_but_for_the_normaliser(seed, points, backend):
    part = Case((5, 4), (1, 1), 3, 2, (2,), points, None, seed)
    whole_grid = Case((5, 4), (1, 1), 3, 2, (2,), None, None, seed)
    near, everywhere = part.map_by(backend), whole_grid.map_by("dense")
    lattice = torch.zeros_like(whole_grid.values)
    lattice[:, part.on.index] = part.values
    image, *_ = outcome(near, part.values, part.weight)
    expected, *_ = outcome(everywhere, lattice, part.weight)
    expected = expected * everywhere.mass.unsqueeze(-1)
    there = torch.zeros(20, 1, dtype=torch.float64)
    there[part.on.index] = 1
    mean, *_ = outcome(everywhere, there.expand(2, 20, 2), torch.ones_like(part.weight))
    count = mean * everywhere.mass.unsqueeze(-1)
    assert_close(image, (expected / count)[:, part.on.index], rtol=0, atol=1e-12)
