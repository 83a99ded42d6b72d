"""Maps of more pairs or points than int32 counts are refused, and buckets are counted in int64."""

import pytest
import torch
from functions import scattered, subset
from local_operators import box_grid, device_of, pair_backends
from torch.testing import assert_close

from inftydiff.operators import Box, Scattered
from inftydiff.operators.local import _pair_list as pair_list
from inftydiff.operators.local import neighbours, reference
from inftydiff.operators.local._pair_list import MOST, row_starts
from inftydiff.operators.local.operator import local_operator

GRID = box_grid(6, 5)
MANY = r"at most \d+ pairs of points; here it would be \d+. Split the batch, or .*backend='dense'"


def test_the_pairs_are_counted_beyond_int32():
    counts = torch.tensor([MOST - 3, 2, 1], dtype=torch.int32)
    assert row_starts(counts).tolist() == [0, MOST - 3, MOST - 1, MOST]
    with pytest.raises(ValueError, match=MANY.replace(r"\d+. S", rf"{MOST + 1}. S")):
        row_starts(counts + torch.tensor([0, 0, 1], dtype=torch.int32))


@pair_backends
@pytest.mark.parametrize("on", [subset(GRID, 20, 0, 2), scattered(GRID.domain, 20, 0)])
def test_a_map_of_too_many_pairs(on, backend, monkeypatch):
    monkeypatch.setattr(pair_list, "MOST", 50)
    with pytest.raises(ValueError, match=MANY):
        neighbours(on, size=5, cell=GRID.spacing, device=device_of(backend), backend=backend)


@pair_backends
@pytest.mark.parametrize("kind", [subset, scattered])
def test_a_ragged_batch_of_too_many_pairs(kind, backend, monkeypatch):
    place = GRID if kind is subset else GRID.domain
    samples = [kind(place, 6, seed) for seed in range(4)]
    where = {"size": 3, "cell": 0.05, "device": device_of(backend), "backend": backend}
    entries = [len(neighbours(on, **where).form.pairs.column) for on in samples]
    monkeypatch.setattr(pair_list, "MOST", sum(entries) - 1)
    for on in samples:
        neighbours(on, **where)
    with pytest.raises(ValueError, match=f"here it would be {sum(entries)}"):
        neighbours(samples, **where)


@pair_backends
@pytest.mark.parametrize("on", [subset(GRID, 20, 0, 3), scattered(GRID.domain, 20, 0, 3)])
def test_a_map_of_too_many_points(on, backend, monkeypatch):
    monkeypatch.setattr(pair_list, "MOST", 59)
    with pytest.raises(ValueError, match="at most 59 points; here it would be 60"):
        neighbours(on, size=1, cell=1e-3, device=device_of(backend), backend=backend)


@pytest.mark.parametrize("samples", [None, 3])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_points_far_apart_for_their_window(dim, samples, generator):
    box = Box((1e9,) * dim)
    shape = (9, dim) if samples is None else (samples, 9, dim)
    points = torch.rand(shape, generator=generator, dtype=torch.float64)
    points[..., ::2, :] += 1e9 - 1
    on = Scattered(points, domain=box)
    weight = torch.randn(2, *[3] * dim, generator=generator, dtype=torch.float64)
    v = torch.randn(*shape[:-1], 2, generator=generator, dtype=torch.float64)
    near = neighbours(on, size=3, cell=0.4, backend="torch")
    assert int(near.form.pairs.row_pointer[-1]) > near.mass.numel()
    expected = reference(v, weight, on.points, on.weights, 0.4)
    assert_close(local_operator(v, weight, near), expected, rtol=0, atol=1e-12)
