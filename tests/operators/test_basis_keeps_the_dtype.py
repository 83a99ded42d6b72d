"""The transforms keep the dtype and are as accurate as it allows."""

import pytest
import torch
from functions import grid, values
from torch.testing import assert_close

from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-13), (torch.float32, 2e-6), (torch.bfloat16, 0.02), (torch.float16, 3e-3)],
)
@pytest.mark.parametrize("shape", [(63, 48), (31, 1)])
def test_accuracy(boundary, dtype, tolerance, shape):
    basis = eigenbasis(grid(*shape, boundary=boundary).domain)
    x = values(1, *shape).to(dtype)
    for transform in (basis.analysis, basis.synthesis):
        result = transform(x)
        assert result.dtype == dtype
        assert_close(result.double(), transform(x.double()), rtol=0, atol=tolerance)
