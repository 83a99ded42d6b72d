"""Averages by tiles and neighbours by cells are those of all distances, however the points lie."""

import dense_transfers
import pytest
import torch
from functions import boundaries, grid, seeds, values
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import Grid, KernelSmoother, NearestNeighbours, Scattered
from inftydiff.operators import _windows as windows
from inftydiff.operators._nearest import nearest

shapes = st.sampled_from([(1,), (40,), (97,), (1, 30), (19, 23), (33, 6), (9, 8, 10), (2, 17, 1)])
layouts = st.sampled_from(["even", "cluster", "one place", "sides"])


def points(nodes: Grid, size: int, layout: str, seed: int, batch: int | None) -> Scattered:
    """Points of unequal weight, every fifth of none, in a box."""
    generator = torch.Generator().manual_seed(seed)
    shape = (size,) if batch is None else (batch, size)
    unit = torch.rand(*shape, nodes.dim, generator=generator, dtype=torch.float64)
    match layout:
        case "cluster":
            unit[..., 1:, :] = 0.3 + 0.05 * unit[..., 1:, :]
        case "one place":
            unit = unit[..., :1, :].expand_as(unit)
        case "sides":
            unit = unit.round()
    weights = 0.1 + torch.rand(shape, generator=generator, dtype=torch.float64)
    weights[..., 4::5] = 0.0
    sides = torch.tensor(nodes.domain.lengths, dtype=torch.float64)
    return Scattered(unit * sides, weights, nodes.domain)


cases = {
    "shape": shapes,
    "names": boundaries,
    "size": st.sampled_from([1, 7, 150]),
    "layout": layouts,
    "batch": st.sampled_from([None, 1, 3]),
    "seed": seeds,
}


@given(**cases, cells=st.sampled_from([0.04, 0.2, 0.5, 1.0, 30.0]), channels=st.integers(1, 3))
@pytest.mark.parametrize("chunk", [1, windows.CHUNK])
def test_sums_in_windows(chunk, shape, names, size, layout, batch, seed, cells, channels):
    nodes = grid(*shape, boundary=names)
    on = points(nodes, size, layout, seed, batch)
    width = cells * max(nodes.spacing)
    average = KernelSmoother(on, nodes, width)
    dense = dense_transfers.windows(on, nodes, width)
    samples = () if batch is None else (batch,)
    v, u = (values(seed, 2, *samples, n, 30 * channels) for n in (size, nodes.size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "CHUNK", chunk)
        there, back = (average._sum(x, transpose=t) for x, t in ((v, False), (u, True)))
    assert_close(there, dense @ v, rtol=0, atol=1e-12)
    assert_close(back, dense.mT @ u, rtol=0, atol=1e-12)


@given(**cases, cells=st.sampled_from([0.6, 1.0, 2.0, 3.0]))
def test_averages_as_far_as_windows_reach(shape, names, size, layout, batch, seed, cells):
    nodes = grid(*shape, boundary=names)
    on = points(nodes, size, layout, seed, batch)
    width = cells * max(nodes.spacing)
    dense = dense_transfers.windows(on, nodes, width)
    if dense.sum(-1).min() < 1e-30:
        with pytest.raises(ValueError, match="so far from all points"):
            KernelSmoother(on, nodes, width).apply_values(values(seed, *on.shape_of_points, 2))
        return
    v = values(seed, *on.shape_of_points, 2)
    expected = dense_transfers.average(on, nodes, width) @ v
    assert_close(KernelSmoother(on, nodes, width).apply_values(v), expected, rtol=0, atol=1e-12)


@given(**cases, k=st.integers(1, 5))
def test_neighbours(shape, names, size, layout, batch, seed, k):
    nodes = grid(*shape, boundary=names)
    on = points(nodes, size, layout, seed, batch)
    k = min(k, int((on.weights > 0).sum(-1).min()))
    squares = dense_transfers.squares(on, nodes).reshape(-1, nodes.size, size)
    present = (on.weights > 0).reshape(-1, size)
    columns, found = nearest(on.points.reshape(len(present), size, -1), present, nodes, k)
    assert_close(found, squares.topk(k, dim=-1, largest=False).values, rtol=0, atol=0)
    assert_close(squares.gather(-1, columns), found, rtol=0, atol=0)
    assert (columns.sort(-1).values.diff(dim=-1) > 0).all()


@given(seed=seeds, k=st.integers(1, 4), names=boundaries)
def test_neighbours_by_their_weights(seed, k, names):
    nodes = grid(12, 15, boundary=names)
    on = points(nodes, 100, "even", seed, 2)
    nearest = dense_transfers.squares(on, nodes).topk(k, dim=-1, largest=False)
    closeness = nearest.values.reciprocal()
    dense = torch.zeros(2, nodes.size, 100, dtype=torch.float64)
    dense.scatter_(-1, nearest.indices, closeness / closeness.sum(-1, keepdim=True))
    v = values(seed, 2, 100, 3)
    result = NearestNeighbours(on, nodes, k).apply_values(v)
    assert_close(result, dense @ v, rtol=0, atol=1e-12)


def test_patches_overlap_here():
    """The claims above are about more than one tile, along every axis, and about long blocks."""
    nodes = grid(40, 44)
    on = points(nodes, 3000, "cluster", 0, None)
    matrix = KernelSmoother(on, nodes, 0.3 * nodes.spacing[0])._scattered
    assert all(t.tiles > 1 and t.spans > 1 for t in matrix.tilings)
    assert len(matrix.ends) > 2
