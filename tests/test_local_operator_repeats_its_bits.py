"""The image and the gradients are the same to the last bit, each time and on any number of threads.

The sizes are such that the sums over pairs are cut into many pieces.
"""

import pytest
import torch
from local_operators import Case, backends, outcome, threads

LARGE = {
    "subsets": Case((64, 64), (1, 1), 7, 20, (2,), 2048, 2, 0),
    "points": Case((40, 40), (1, 1), 3, 20, (2,), 1000, None, 1, None, True),
}
SMALL = Case((8, 8), (1, 1), 3, 5, (2,), 32, 2, 2)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def equal(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(map(torch.equal, first, second))


@backends("torch", "numba")
@dtypes
@pytest.mark.parametrize("name", LARGE)
def test_on_any_number_of_threads(name, dtype, backend):
    case = LARGE[name]
    results = []
    for count in (1, 2, 3):
        with threads(count):
            near = case.map_by(backend)
            results += [outcome(near, case.values, case.weight, dtype) for _ in range(2)]
    assert all(equal(results[0], other) for other in results[1:])


@backends("reference", "dense", "torch", "numba", "triton")
@dtypes
def test_each_time(dtype, backend):
    maps = [SMALL.map_by(backend) for _ in range(2)]
    first, second = (outcome(near, SMALL.values, SMALL.weight, dtype) for near in maps)
    assert equal(first, second)
    assert equal(first, outcome(maps[0], SMALL.values, SMALL.weight, dtype))
