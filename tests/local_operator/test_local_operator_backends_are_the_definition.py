"""Each backend gives the values and the gradients of the definition, at all points it takes."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from local_operators import (
    Case,
    backends,
    cases,
    coarse,
    every_backend,
    outcome,
    refined,
    truth,
    whole,
)
from torch.testing import assert_close

from inftydiff.operators.local.backend import Backend

any_ratio = whole | coarse | refined
channels = [1, 2, 3, 5, 8, 16, 17]
images = [None, None, 1, 4]


def check(case: Case, backend: Backend, dtype: torch.dtype = torch.float64) -> None:
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    given = outcome(case.map_by(backend), case.values, case.weight, dtype)
    for result, expected in zip(given, truth(case), strict=True):
        assert result.dtype == dtype
        size = max(1.0, float(expected.abs().max()))
        assert_close(result.double(), expected, rtol=0, atol=tolerance * size)


@backends("dense")
@given(case=cases(any_ratio, "grid one many", channels, images))
def test_of_the_lattice(case, backend):
    check(case, backend)


@backends("reference", "torch", "numba")
@given(case=cases(any_ratio, "grid one many points clouds", channels, images))
def test_of_pairs(case, backend):
    check(case, backend)


@pytest.mark.thorough
@backends("triton")
@settings(max_examples=5)
@given(case=cases(any_ratio, "one many points", [1, 3]))
def test_of_pairs_by_triton(case, backend):
    if case.size > 3:
        case = replace(case, size=3)
    check(case, backend)


half, third = Fraction(1, 2), Fraction(3, 2)
ON_LATTICES = {
    "a grid": Case((5, 7), (1, 1), 5, 3, (2,), None, None, 0),
    "a refined grid": Case((5, 7), (2, 2), 3, 3, (2,), None, None, 1),
    "a grid of another ratio": Case((5, 7), (third, half), 3, 3, (2,), None, None, 2),
    "a grid within one window": Case((2, 3), (2, 3), 5, 2, (), None, None, 3),
    "a line": Case((31,), (third,), 7, 3, (), 17, None, 4),
    "a cube": Case((3, 5, 4), (1, 1, 1), 3, 2, (2,), 31, None, 5),
    "one shared subset": Case((9, 8), (1, 1), 7, 3, (2,), 20, None, 6),
    "a subset a sample": Case((9, 8), (1, 1), 5, 3, (2, 3), 20, 3, 7),
    "a subset of a refined grid": Case((9, 8), (2, 2), 3, 3, (2,), 30, None, 8),
    "one point of a grid": Case((4, 5), (1, 1), 3, 2, (2,), 1, None, 9),
    "every point of a grid": Case((4, 5), (1, 1), 3, 2, (2,), 20, 2, 10),
    "a grid of one point": Case((1, 1), (1, 1), 3, 2, (2,), None, None, 11),
    "isolated points": Case((30, 30), (half, half), 3, 2, (), 9, None, 12),
    "a table of one node": Case((6, 5), (third, 1), 1, 2, (2,), 11, None, 13),
    "one channel": Case((6, 5), (1, 1), 3, 1, (), 11, None, 14),
    "16 channels": Case((6, 5), (1, 1), 3, 16, (2,), 11, None, 15),
    "17 channels": Case((6, 5), (1, 1), 3, 17, (2,), 11, None, 16),
    "48 channels": Case((6, 5), (1, 1), 3, 48, (), 11, None, 17),
    "65 channels": Case((6, 5), (half, 1), 3, 65, (), 11, None, 18),
    "257 channels": Case((6, 5), (1, 1), 3, 257, (), 11, None, 19),
    "channels mixed on a grid": Case((5, 4), (1, 1), 3, 3, (2,), None, None, 20, 4),
    "channels mixed on a refined grid": Case((5, 4), (2, 2), 3, 2, (2,), None, None, 21, 3),
    "channels mixed on subsets": Case((6, 7), (1, 1), 5, 17, (2, 3), 12, 3, 22, 5),
    "channels mixed into one": Case((6, 7), (half, 1), 3, 3, (), 12, None, 23, 1),
    "more rows than a piece has": Case((500,), (1,), 3, 3, (2,), 401, None, 31),
    "more copies than pieces": Case((4,), (1,), 3, 1, (70,), 3, None, 32),
}
ANYWHERE = {
    "points anywhere": Case((5, 6), (2, 1), 5, 3, (2,), 20, None, 24, None, True),
    "clouds anywhere": Case((5, 6), (1, 1), 3, 17, (2, 3), 12, 3, 25, None, True),
    "one point anywhere": Case((5, 6), (1, 1), 3, 2, (), 1, None, 26, None, True),
    "points on a line": Case((20,), (1,), 3, 2, (), 15, None, 27, None, True),
    "points in a box": Case((3, 3, 3), (1, 1, 1), 3, 2, (), 20, None, 28, None, True),
    "isolated points anywhere": Case((30, 30), (half, half), 3, 2, (), 9, None, 29, None, True),
    "channels mixed anywhere": Case((5, 6), (2, 1), 3, 3, (2,), 12, None, 30, 4, True),
    "more points than a piece has": Case((400,), (1,), 3, 2, (), 300, None, 33, None, True),
}
SINGLE = ["a grid", "a refined grid", "a subset a sample", "channels mixed on subsets"]
SINGLE += [f"{n} channels" for n in (16, 17, 48, 65, 257)]


@pytest.mark.thorough
@every_backend
@pytest.mark.parametrize("name", ON_LATTICES)
def test_on_lattices(name, backend):
    check(ON_LATTICES[name], backend)


@pytest.mark.thorough
@every_backend
@pytest.mark.parametrize("name", SINGLE)
def test_on_lattices_in_single_precision(name, backend):
    check(ON_LATTICES[name], backend, torch.float32)


@pytest.mark.thorough
@backends("reference", "torch", "numba", "triton")
@pytest.mark.parametrize("name", ANYWHERE)
def test_anywhere(name, backend):
    check(ANYWHERE[name], backend)


@backends("reference", "torch", "numba", "triton")
@pytest.mark.parametrize("name", ["clouds anywhere", "channels mixed anywhere"])
def test_anywhere_in_single_precision(name, backend):
    check(ANYWHERE[name], backend, torch.float32)
