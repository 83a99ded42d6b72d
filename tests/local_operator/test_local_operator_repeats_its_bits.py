"""The image and the gradients are the same to the last bit each time; most on any threads too.

Depthwise sums over pairs do not depend on the number of threads at all. What oneDNN and BLAS add up
does: in single precision the gradient in the table of a grid, and tables that mix the channels at
points. These are the same on the same number of threads.

The sizes are such that the sums over pairs are cut into many pieces.
"""

import pytest
import torch
from local_operators import Case, backends, outcome, threads

from inftydiff.operators.local.backend import Backend

DEPTHWISE = {
    "subsets": Case((64, 64), (1, 1), 7, 20, (2,), 2048, 2, 0),
    "points": Case((40, 40), (1, 1), 3, 20, (2,), 1000, None, 1, None, True),
    "one channel": Case((64, 64), (1, 1), 7, 1, (2,), 2048, 2, 3),
}
MIXING = {
    "subsets": Case((64, 64), (1, 1), 3, 20, (2,), 2048, 2, 4, 24),
    "points": Case((40, 40), (1, 1), 3, 20, (2,), 1000, None, 5, 24, True),
}
ON_LATTICES = {
    "a grid": Case((64, 64), (1, 1), 7, 20, (2,), None, None, 6),
    "one channel": Case((64, 64), (1, 1), 7, 1, (2,), None, None, 7),
    "a refined grid": Case((64, 64), (2, 2), 5, 20, (2,), None, None, 8),
    "a subset": Case((64, 64), (1, 1), 7, 20, (2,), 2048, 2, 9),
    "mixing": Case((64, 64), (1, 1), 3, 20, (2,), None, None, 10, 24),
    "a line": Case((2048,), (1,), 7, 20, (2,), None, None, 11),
    "a cube": Case((16, 16, 16), (1, 1, 1), 3, 20, (2,), None, None, 12),
}
SMALL = {
    "depthwise": Case((8, 8), (1, 1), 3, 5, (2,), 32, 2, 2),
    "mixing": Case((8, 8), (1, 1), 3, 5, (2,), 32, 2, 2, 4),
    "one channel": Case((8, 8), (1, 1), 3, 1, (2,), 32, 2, 2),
}
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def equal(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(map(torch.equal, first, second))


def on_threads(case: Case, dtype: torch.dtype, backend: Backend) -> list[list[torch.Tensor]]:
    """The image and the gradients on one to three threads; on each of them the same twice."""
    results = []
    for count in (1, 2, 3):
        with threads(count):
            near = case.map_by(backend)
            first, second = (outcome(near, case.values, case.weight, dtype) for _ in range(2))
        assert equal(first, second)
        results.append(first)
    return results


@pytest.mark.thorough
@backends("torch", "numba")
@dtypes
@pytest.mark.parametrize("name", DEPTHWISE)
def test_on_any_number_of_threads(name, dtype, backend):
    first, *others = on_threads(DEPTHWISE[name], dtype, backend)
    assert all(equal(first, other) for other in others)


@pytest.mark.thorough
@backends("dense")
@dtypes
@pytest.mark.parametrize("name", ON_LATTICES)
def test_of_lattices_on_any_number_of_threads(name, dtype, backend):
    first, *others = on_threads(ON_LATTICES[name], dtype, backend)
    assert all(equal(first[:2], other[:2]) for other in others)


@pytest.mark.thorough
@backends("torch", "numba")
@dtypes
@pytest.mark.parametrize("name", MIXING)
def test_of_mixed_channels_on_one_number_of_threads(name, dtype, backend):
    on_threads(MIXING[name], dtype, backend)


@pytest.mark.thorough
@backends("reference", "dense", "torch", "numba", "triton")
@dtypes
@pytest.mark.parametrize("name", SMALL)
def test_each_time(name, dtype, backend):
    case = SMALL[name]
    maps = [case.map_by(backend) for _ in range(2)]
    first, second = (outcome(near, case.values, case.weight, dtype) for near in maps)
    assert equal(first, second)
    assert equal(first, outcome(maps[0], case.values, case.weight, dtype))
