"""A map that is made in inference mode may be used in training, on every backend."""

import pytest
import torch
from functions import scattered, subset, values
from local_operators import box_grid, device_of, outcome, taken_by
from torch.testing import assert_close

from inftydiff.operators import Scattered, Subset
from inftydiff.operators.local import local_operator, neighbours

GRID = box_grid(6, 5)
PLACES = {
    "a grid": lambda: GRID,
    "a subset": lambda: subset(GRID, 9, 0),
    "a subset a sample": lambda: subset(GRID, 9, 0, 2),
    "points": lambda: scattered(GRID.domain, 9, 0),
    "a ragged batch": lambda: [subset(GRID, 4, 0), subset(GRID, 5, 1)],
}
PAIRS = "torch", "numba", "triton"
EVERY = "reference", "dense", *PAIRS


@pytest.mark.thorough
@pytest.mark.parametrize("images", [(), (3,)])
@pytest.mark.parametrize("ratio", [1, 2])
@taken_by(
    {
        "a grid": EVERY,
        "a subset": EVERY,
        "a subset a sample": EVERY,
        "points": ("reference", *PAIRS),  # dense convolves lattices
        "a ragged batch": ("dense", *PAIRS),  # the reference has one number of points
    }
)
def test_values_and_gradients(name, ratio, images, backend):
    cell = tuple(ratio * h for h in GRID.spacing)
    where = {"size": 3, "cell": cell, "device": device_of(backend), "backend": backend}
    with torch.inference_mode():
        on = PLACES[name]()
        if isinstance(on, Subset | Scattered):
            assert (on.index if isinstance(on, Subset) else on.points).is_inference()
        near = neighbours(on, **where)
        points = near.mass.numel() if name == "a ragged batch" else near.mass.shape[-1]
        samples = near.mass.shape[:-1]
    v, weight = values(0, 2, *samples, points, 2), values(1, *images, 2, 3, 3)
    with torch.inference_mode():
        local_operator(v.to(near.mass.device), weight.to(near.mass.device), near)
    expected = outcome(neighbours(PLACES[name](), **where), v, weight)
    assert_close(outcome(near, v, weight), expected, rtol=0, atol=0)
