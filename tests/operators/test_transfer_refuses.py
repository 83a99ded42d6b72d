"""Transfers refuse what they cannot carry, and say what was got and what to do."""

import math

import jaxtyping
import pytest
import torch
from functions import KINDS, discretisation, function, grid

from inftydiff.operators import (
    Box,
    Grid,
    Interpolation,
    KernelSmoother,
    NearestNeighbours,
    Scattered,
    interpolate,
    random_subset,
)
from inftydiff.operators.domain import Point
from inftydiff.processes import WhiteNoise

FINE, NODES = grid(4, 5), grid(3, 2)


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch):
    """Without the test suite's own type checks, which would refuse some of this first."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def transfers(kind: str) -> list[Interpolation | KernelSmoother | NearestNeighbours]:
    on = discretisation(kind, FINE, 0)
    return [Interpolation(NODES, on), KernelSmoother(on, NODES, 0.3), NearestNeighbours(on, NODES)]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_interpolation_from_points(kind):
    f = function(discretisation(kind, FINE, 0), 0, 3)
    with pytest.raises(ValueError, match=f"starts from a Grid; got {type(f.on).__name__}"):
        interpolate(f, NODES)
    with pytest.raises(ValueError, match=f"starts from a Grid; got {type(f.on).__name__}"):
        Interpolation(f.on, NODES)


def test_transfers_to_points():
    points = discretisation("points", FINE, 0)
    with pytest.raises(ValueError, match="KernelSmoother goes to a Grid; got Scattered"):
        KernelSmoother(FINE, points, 0.1)
    with pytest.raises(ValueError, match="NearestNeighbours goes to a Grid; got Scattered"):
        NearestNeighbours(FINE, points)


@pytest.mark.parametrize("other", [Grid((3, 2)), Grid((3, 2), Box((2.0, 0.7))), Grid((3,))])
def test_other_domains(other):
    for make in (
        lambda: Interpolation(other, FINE),
        lambda: interpolate(function(other, 0), discretisation("subset", FINE, 0)),
        lambda: KernelSmoother(FINE, other, 0.1),
        lambda: NearestNeighbours(FINE, other),
    ):
        with pytest.raises(ValueError, match="stays in one domain; got Box"):
            make()


def test_windows_on_a_point():
    on = Grid((), Point())
    for make in (lambda: KernelSmoother(on, on, 0.1), lambda: NearestNeighbours(on, on, 1)):
        with pytest.raises(ValueError, match=r"takes the points of a Box; on a Point\(\)"):
            make()


def test_boxes_with_other_boundaries():
    with pytest.raises(ValueError, match=r"stays in one domain; got Box"):
        Interpolation(grid(3, 2), grid(4, 5, boundary="periodic"))


@pytest.mark.parametrize("method", ["cubic", "Linear", ""])
def test_unknown_methods(method):
    with pytest.raises(ValueError, match=f"method .* must be one of 'linear'; got {method!r}"):
        interpolate(function(FINE, 0), NODES, method=method)


@pytest.mark.parametrize("width", [0.0, -0.1, math.nan, math.inf])
def test_widths(width):
    with pytest.raises(
        ValueError, match=r"width of a KernelSmoother must be a finite number above 0"
    ):
        KernelSmoother(FINE, NODES, width)


@pytest.mark.parametrize("k", [0, -1, 1.5])
def test_numbers_of_neighbours(k):
    with pytest.raises(ValueError, match="number of neighbours must be a whole number"):
        NearestNeighbours(FINE, NODES, k)


def test_more_neighbours_than_points():
    with pytest.raises(ValueError, match=r"21 nearest neighbours .*; a sample has 20"):
        NearestNeighbours(FINE, NODES, 21)


@pytest.mark.parametrize("kind", KINDS)
def test_functions_that_live_elsewhere(kind):
    for A in transfers(kind):
        with pytest.raises(ValueError, match=rf"{type(A).__name__} acts on functions on its own"):
            A(function(grid(2, 2), 0, 3))
        with pytest.raises(ValueError, match="acts on functions on its own"):
            A.adjoint(function(grid(2, 2), 0, 3))


@pytest.mark.parametrize("kind", KINDS)
def test_random_fields_and_bare_tensors(kind):
    field = WhiteNoise().draw(
        FINE.domain, batch=3, channels=1, generator=torch.Generator().manual_seed(0)
    )
    for A in transfers(kind):
        for operator in (A, A.adjoint):
            with pytest.raises(TypeError, match=r"acts on a Function; got RandomField.*spectral"):
                operator(field)
            with pytest.raises(TypeError, match="acts on a Function; got Tensor"):
                operator(torch.zeros(3, NODES.size, 1))


@pytest.mark.parametrize("kind", ["subsets", "clouds"])
@pytest.mark.parametrize("batch", [(2,), (3, 2)])
def test_values_of_another_batch(kind, batch):
    for A in transfers(kind):
        with pytest.raises(ValueError, match=r"takes values of shape .*3.*; got"):
            A.apply_values(torch.zeros(*batch, A.source.size, 1))


def test_values_of_another_number_of_points():
    with pytest.raises(
        ValueError, match=r"Interpolation takes values of shape .*6.*; got \(5, 1\)"
    ):
        Interpolation(NODES, FINE).apply_values(torch.zeros(5, 1))


@pytest.mark.parametrize(
    ("size", "batch", "message"),
    [
        (21, None, "cannot be larger than its grid: asked for 21 points of 20"),
        (0, None, "size of a random subset must be a whole number of at least 1; got 0"),
        (2.5, None, "size of a random subset must be a whole number of at least 1; got 2.5"),
        (3, 0, "batch of a random subset must be a whole number of at least 1; got 0"),
    ],
)
def test_sizes_of_random_subsets(size, batch, message):
    with pytest.raises(ValueError, match=message):
        random_subset(FINE, size, batch=batch, generator=torch.Generator())


def test_random_subsets_without_a_generator():
    with pytest.raises(TypeError, match=r"draws from a torch.Generator; got None"):
        random_subset(FINE, 3, generator=None)
    with pytest.raises(TypeError, match="generator"):
        random_subset(FINE, 3)


def test_nothing_is_drawn_by_a_refused_call():
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    with pytest.raises(ValueError, match="cannot be larger"):
        random_subset(FINE, 100, generator=generator)
    assert torch.equal(generator.get_state(), before)


def test_points_outside_the_box_never_reach_a_transfer():
    with pytest.raises(ValueError, match="outside the box"):
        interpolate(function(FINE, 0), Scattered(torch.tensor([[0.1, 0.9]]), domain=FINE.domain))
