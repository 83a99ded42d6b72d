"""Transfers keep the dtype of their values, and are computed in float32 under autocast too."""

import pytest
import torch
from functions import KINDS, discretisation, function, grid
from torch.testing import assert_close

from inftydiff.operators import Interpolation, KernelSmoother, NearestNeighbours

FINE, NODES = grid(9, 8), grid(4, 4)


def transfers(kind: str) -> list[Interpolation | KernelSmoother | NearestNeighbours]:
    on = discretisation(kind, FINE, 0)
    return [Interpolation(NODES, on), KernelSmoother(on, NODES, 0.2), NearestNeighbours(on, NODES)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02), (torch.float16, 3e-3)]
)
def test_accuracy(kind, dtype, tolerance):
    for A in transfers(kind):
        x = function(A.source, 0, 3).values.to(dtype)
        result, exact = A.apply_values(x), A.apply_values(x.double())
        assert result.dtype == dtype
        assert_close(result.double(), exact, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_autocast_changes_nothing(kind):
    for A in transfers(kind):
        x = function(A.source, 0, 3).values.float().requires_grad_()
        expected = A.apply_values(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = A.apply_values(x)
        assert_close(result, expected, rtol=0, atol=0)
