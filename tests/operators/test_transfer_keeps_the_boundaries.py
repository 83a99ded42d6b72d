"""Near a side transfers wrap where it is periodic, and interpolation falls to zero where absorbing.

Interpolating is then linear interpolation of the continued lattice: copies beyond a periodic side,
the mirror image with the other sign beyond an absorbing one, and with the same beyond a reflecting
one. Windows see the nearest copy of each point.
"""

import pytest
import torch
from functions import boundaries, discretisation, function, grid, kinds, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import (
    Function,
    Grid,
    Interpolation,
    KernelSmoother,
    NearestNeighbours,
    Scattered,
    interpolate,
)
from inftydiff.operators.domain import BOUNDARIES, Point


def hats(points: torch.Tensor, on: Grid, a: int, boundary: str) -> torch.Tensor:
    """The hats of an axis' centres at points, with those of their copies or mirror images."""
    x, length = on.axis(a), on.domain.lengths[a]

    def hat(centres: torch.Tensor) -> torch.Tensor:
        return (1 - (points[:, None] - centres).abs() / on.spacing[a]).clamp(min=0)

    if boundary == "periodic":
        return sum(hat(x + copy * length) for copy in (-1, 0, 1))
    sign = 1.0 if boundary == "reflecting" else -1.0
    return hat(x) + sign * (hat(-x) + hat(2 * length - x))


@given(
    shape=shapes, names=boundaries, kind=st.sampled_from(["grid", "subset", "points"]), seed=seeds
)
def test_interpolation_of_the_continued_lattice(shape, names, kind, seed):
    source = grid(*shape, boundary=names)
    target = discretisation(kind, grid(*(2 * n + 1 for n in shape), boundary=names), seed)
    f = function(source, seed, 2)
    expected = torch.ones(target.size, 1, dtype=torch.float64)
    for a, boundary in enumerate(names[: len(shape)]):
        along = hats(target.points[:, a], source, a, boundary)
        expected = (expected.unsqueeze(-1) * along.unsqueeze(-2)).flatten(-2)
    assert_close(interpolate(f, target).values, expected @ f.values, rtol=0, atol=1e-12)


@given(shape=shapes, names=boundaries, kind=kinds, seed=seeds)
def test_adjoints(shape, names, kind, seed):
    nodes, on = grid(*shape, boundary=names), grid(*(n + 1 for n in shape), boundary=names)
    points = discretisation(kind, on, seed)
    transfers = [
        Interpolation(nodes, points),
        KernelSmoother(points, nodes, 0.5),
        NearestNeighbours(points, nodes, 1),
    ]
    for A in transfers:
        f, g = function(A.source, seed, 3), function(A.target, seed + 1, 3)
        assert_close(A(f).inner(g), f.inner(A.adjoint(g)), rtol=0, atol=1e-11)


def test_at_the_sides():
    ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    values = torch.tensor([[1.0], [5.0], [3.0]], dtype=torch.float64)
    expected = {"reflecting": [1.0, 3.0], "periodic": [2.0, 2.0], "absorbing": [0.0, 0.0]}
    for boundary in BOUNDARIES:
        source = grid(3, boundary=boundary)
        at = interpolate(Function(source, values), Scattered(ends, domain=source.domain))
        assert at.values.flatten().tolist() == pytest.approx(expected[boundary], abs=1e-14)


@given(
    shape=st.sampled_from([(4,), (3, 5)]), kind=st.sampled_from(["subset", "points"]), seed=seeds
)
def test_windows_see_the_nearest_copy(shape, kind, seed):
    nodes, on = (
        grid(*shape, boundary="periodic"),
        grid(*(2 * n for n in shape), boundary="periodic"),
    )
    points = discretisation(kind, on, seed)
    f = function(points, seed)
    sides = torch.tensor(nodes.domain.lengths, dtype=torch.float64)
    offsets = (nodes.points[:, None] - points.points[None] + sides / 2) % sides - sides / 2
    squares = offsets.square().sum(-1)
    window = points.weights * (-0.5 * squares / 0.2**2).exp()
    expected = window @ f.values / window.sum(1, keepdim=True)
    assert_close(KernelSmoother(points, nodes, 0.2)(f).values, expected, rtol=0, atol=1e-12)
    nearest = NearestNeighbours(points, nodes, 1)(f).values
    chosen = (nearest[:, None] == f.values[None]).all(-1)
    least = squares.min(1).values
    assert_close(squares.masked_fill(~chosen, torch.inf).min(1).values, least, rtol=0, atol=1e-13)


@given(shape=shapes, seed=seeds, data=st.data())
def test_on_a_torus_they_commute_with_translations(shape, seed, data):
    shift = tuple(data.draw(st.integers(-3, 3)) for _ in shape)
    coarse = grid(*shape, boundary="periodic")
    fine = grid(*(3 * n for n in shape), boundary="periodic")
    axes = tuple(range(1, len(shape) + 1))
    for A, source, factor in [
        (Interpolation(coarse, fine), coarse, 1),
        (KernelSmoother(fine, coarse, 0.3), fine, 3),
    ]:
        f = function(source, seed)
        moved = f.to_image().roll([factor * s for s in shift], axes)
        back = [-(3 if factor == 1 else 1) * s for s in shift]
        result = A(Function.from_image(moved, source.domain)).to_image().roll(back, axes)
        assert_close(result, A(f).to_image(), rtol=0, atol=1e-12)


@given(seed=seeds, copies=st.integers(1, 4))
def test_on_a_point_interpolation_repeats_the_value(seed, copies):
    on = Grid((), Point())
    f = function(on, seed, 3)
    points = Scattered(torch.empty(copies, 0), domain=Point())
    assert_close(interpolate(f, points).values, f.values.expand(3, copies, 2))
    assert_close(interpolate(f, on).values, f.values)
