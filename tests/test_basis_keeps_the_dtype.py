"""The cosine transforms keep the dtype and are as accurate as it allows."""

import pytest
import torch
from functions import values
from torch.testing import assert_close

from inftydiff.operators import cosine_analysis, cosine_synthesis


@pytest.mark.parametrize("transform", [cosine_analysis, cosine_synthesis])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-13), (torch.float32, 2e-6), (torch.bfloat16, 0.02), (torch.float16, 3e-3)],
)
@pytest.mark.parametrize("shape", [(63, 48), (31, 1)])
def test_accuracy(transform, dtype, tolerance, shape):
    x = values(1, *shape).to(dtype)
    result = transform(x, [0, 1])
    assert result.dtype == dtype
    assert_close(result.double(), transform(x.double(), [0, 1]), rtol=0, atol=tolerance)
