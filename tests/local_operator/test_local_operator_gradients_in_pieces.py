"""A convolution and its gradients do not depend on the pieces that they are taken in.

They are those of torch's own convolution, whether a piece is some samples, one, or a few rows.
"""

import pytest
import torch
from functions import values
from torch.testing import assert_close

from inftydiff.operators.local import _convolution as convolution
from inftydiff.operators.local._convolution import convolve, depthwise

SHAPES = [
    ((9,), (5,)),
    ((3,), (5,)),
    ((5, 6), (3, 3)),
    ((40, 6), (7, 7)),
    ((4, 3), (5, 5)),
    ((4, 5), (1, 5)),
    ((4, 5), (5, 1)),
    ((30, 4, 5), (3, 3, 3)),
]


@pytest.mark.parametrize("piece", [1, 60, 2**21])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(("shape", "window"), SHAPES)
def test_they_are_torch_s(shape, window, scaled, piece, monkeypatch):
    monkeypatch.setattr(convolution, "PIECE", {"cpu": piece})
    lattice = values(0, 3, *shape, 2).requires_grad_()
    table = values(1, 2, *window).requires_grad_()
    along, scale = values(2, 3, *shape, 2), values(3, *shape) if scaled else None
    factor = torch.ones(shape, dtype=torch.float64) if scale is None else scale
    expected = torch.autograd.grad(
        convolve(lattice, table) * factor.unsqueeze(-1), (lattice, table), along
    )
    found = torch.autograd.grad(depthwise(lattice, table, scale), (lattice, table), along)
    assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("stripe", [1, 400])
@pytest.mark.parametrize(("shape", "window"), [((5, 90), (3, 3)), ((4, 100), (7, 7)), *SHAPES])
def test_some_columns_of_a_wide_lattice(shape, window, stripe, monkeypatch):
    lattice, table, scale = values(0, 3, *shape, 2), values(1, 2, *window), values(3, *shape)
    expected = convolve(lattice, table) * scale.unsqueeze(-1)
    monkeypatch.setattr(convolution, "STRIPE", stripe)
    assert_close(depthwise(lattice, table, scale), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("columns", [1, 500, 2**25])
@pytest.mark.parametrize("margin", [0, 2])
@pytest.mark.parametrize(("shape", "window"), SHAPES)
def test_some_rows_in_float64(shape, window, margin, columns, monkeypatch):
    margins = (margin,) * len(shape)
    lattice, table = values(0, 3, *shape, 2), values(1, 2, *window)
    expected = convolve(lattice, table, margins)
    monkeypatch.setattr(convolution, "COLUMNS", columns)
    assert_close(convolve(lattice, table, margins), expected, rtol=1e-12, atol=1e-12)
