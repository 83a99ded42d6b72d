"""A ragged batch, of samples with different numbers of points, is each of its samples alone."""

import jaxtyping
import pytest
import torch
from functions import scattered, seeds, subset, values
from hypothesis import given, settings
from hypothesis import strategies as st
from local_operators import backends, box_grid, cell_of, coarse, device_of, outcome, whole
from torch.testing import assert_close

from inftydiff.operators.local import neighbours

GRID = box_grid(6, 5)
sizes = st.lists(st.integers(1, 30), min_size=1, max_size=4)


@pytest.mark.thorough
@backends("dense", "torch", "numba", "triton")
@settings(max_examples=6)
@given(
    sizes=sizes,
    seed=seeds,
    kind=st.sampled_from([subset, scattered]),
    ratio=whole | coarse,
    images=st.sampled_from([(), (3,)]),
)
def test_is_each_sample_alone(sizes, seed, kind, ratio, images, backend):
    kind = subset if backend == "dense" else kind
    place = GRID if kind is subset else GRID.domain
    samples = [kind(place, size, seed + i) for i, size in enumerate(sizes)]
    where = {"size": 3, "cell": cell_of(GRID, (ratio, 1)), "device": device_of(backend)}
    near = neighbours(samples, backend=backend, **where)
    v, weight = values(seed, 2, sum(sizes), 2), values(seed + 1, *images, 2, 3, 3)
    image, d_values, d_weight = outcome(near, v, weight)
    along = values(0, *image.shape).split(sizes, 1)
    total = torch.zeros_like(weight)
    parts = zip(samples, v.split(sizes, 1), image.split(sizes, 1), along, strict=True)
    masses, gradients = [], []
    for on, part, result, g in parts:
        alone = neighbours(on, backend=backend, **where)
        expected, *grads = outcome(alone, part, weight, along=g)
        assert_close(result, expected, rtol=0, atol=1e-13)
        masses.append(alone.mass)
        gradients.append(grads[0])
        total += grads[1]
    assert_close(near.mass, torch.cat(masses), rtol=0, atol=0)
    assert_close(d_values, torch.cat(gradients, 1), rtol=0, atol=1e-12)
    assert_close(d_weight, total, rtol=0, atol=1e-11)
    assert near.on == tuple(samples)


def test_a_tuple_is_a_list():
    samples = subset(GRID, 7, 0), subset(GRID, 3, 1)
    near, same = (neighbours(s, size=3, cell=0.1) for s in (samples, list(samples)))
    assert torch.equal(near.mass, same.mass)


ONE, ANYWHERE = subset(GRID, 4, 0), scattered(GRID.domain, 4, 0)
MIXTURES = {
    "both kinds": [ONE, ANYWHERE],
    "both kinds, points first": [ANYWHERE, ONE],
    "two grids": [ONE, subset(box_grid(6, 6), 4, 0)],
    "two domains": [ANYWHERE, scattered(box_grid(6, 6).domain, 4, 0)],
    "a batch inside": [ONE, subset(GRID, 4, 0, 2)],
    "only a batch": [subset(GRID, 4, 0, 2)],
    "a batch of points inside": [ANYWHERE, scattered(GRID.domain, 4, 0, 2)],
    "a whole grid": [ONE, GRID],
}


@pytest.fixture
def _unchecked():
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("_unchecked")
@pytest.mark.parametrize("name", MIXTURES)
def test_samples_that_do_not_belong_together(name):
    with pytest.raises(ValueError, match="Subsets of one grid, or Scattered points of one domain"):
        neighbours(MIXTURES[name], size=3, cell=0.1)


def test_no_samples():
    with pytest.raises(ValueError, match="at least one sample; got none"):
        neighbours([], size=3, cell=0.1)


@pytest.mark.parametrize("backend", ["reference", "torchsparse"])
def test_backends_that_take_none(backend):
    with pytest.raises(
        ValueError, match=f"one of torch, numba, triton, or 'dense'; got '{backend}"
    ):
        neighbours([ONE, ONE], size=3, cell=0.1, backend=backend)


def test_scattered_points_are_not_convolved():
    with pytest.raises(ValueError, match="'dense' works on a lattice, and scattered points have"):
        neighbours([ANYWHERE, ANYWHERE], size=3, cell=0.1, backend="dense")
