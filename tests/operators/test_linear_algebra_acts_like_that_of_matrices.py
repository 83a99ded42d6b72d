"""Sums, multiples and compositions of operators act as those of their dense matrices do."""

import pytest
import torch
from functions import function, grid
from torch.testing import assert_close

from inftydiff.operators import Identity, LinearOperator, gaussian_mollifier, wiener_inverse
from inftydiff.testing.dense import matrix_of

ON = grid(3, 4)
A, B = gaussian_mollifier(0.2), wiener_inverse(gaussian_mollifier(0.1))
a, b, eye = matrix_of(A, ON), matrix_of(B, ON), torch.eye(ON.size, dtype=torch.float64)[None]
SCALES = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)
scales = SCALES[:, None, None]

EXPRESSIONS = {
    "sum": (A + B, a + b),
    "difference": (A - B, a - b),
    "negative": (-A, -a),
    "multiple": (2.5 * A, 2.5 * a),
    "multiple from the right": (A * 2.5, 2.5 * a),
    "one number a sample": (SCALES * A, scales * a),
    "a tensor of one number": (A * torch.tensor(2.5), 2.5 * a),
    "composition": (A @ B, a @ b),
    "identity": (Identity() + A @ Identity(), eye + a),
    "nested": (2.0 * (A - SCALES * B) @ (A + Identity()), 2 * (a - scales * b) @ (a + eye)),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expression(name: str):
    operator, dense = EXPRESSIONS[name]
    assert isinstance(operator, LinearOperator)
    f = function(ON, 0, 3)
    assert_close(operator(f).values, dense @ f.values, rtol=0, atol=1e-12)
