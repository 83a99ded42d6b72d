r"""The layers are kernel integral operators, eqs. (18) to (20), held against dense quadrature.

The local operator is :math:`\int \kappa(c - b)\,v(b)\,\mathrm db` over the domain and the window,
divided by :math:`\int \chi(c - b)\,\mathrm db` there; the integrals are done here by Gauss and
Legendre's rule on each piece where the kernel's table is linear. Attention in the U-Net is the
integral operator with a kernel of the values at both points.
"""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from functions import values
from hypothesis import given
from hypothesis import strategies as st
from networks import randomised
from torch import Tensor

from inftydiff import Box, Function, Grid
from inftydiff.models import LocalBlock, UNet
from inftydiff.operators import LocalOperator
from inftydiff.operators.local import neighbours
from inftydiff.testing.strategies import seeds

SIDE = 1 / 5
"""The reference cell's side."""


def smooth(points: Tensor) -> Tensor:
    x, y = points[..., 0], points[..., -1]
    return torch.stack([torch.sin(3 * x) * torch.exp(y), torch.cos(4 * x * y) + x], -1)


def hats(offsets: Tensor, size: int) -> Tensor:
    """The hats Λ(o/h − j) along one axis, of shape (*offsets, size)."""
    nodes = torch.arange(size, dtype=torch.float64) - size // 2
    return (1 - (offsets.unsqueeze(-1) / SIDE - nodes).abs()).clamp(min=0)


def rule(centre: float, length: float, size: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights for the window of a point along an axis, piece by piece of the table."""
    kinks = centre + SIDE * torch.arange(-(size // 2) - 1, size // 2 + 2, dtype=torch.float64)
    kinks = kinks.clamp(0, length)
    nodes, weights = (torch.from_numpy(x) for x in np.polynomial.legendre.leggauss(12))
    middle, half = (kinks[1:] + kinks[:-1]) / 2, (kinks[1:] - kinks[:-1]) / 2
    return (
        (middle[:, None] + half[:, None] * nodes).flatten(),
        (half[:, None] * weights).flatten(),
    )


def integral(table: Tensor, centre: Tensor, box: Box) -> Tensor:
    """∫ κ(c − b) ⊙ v(b) db / ∫ χ(c − b) db at one point c, one number a channel."""
    size = table.shape[-1]
    rules = [rule(x, length, size) for x, length in zip(centre.tolist(), box.lengths, strict=True)]
    points = torch.cartesian_prod(*(nodes for nodes, _ in rules)).view(-1, box.dim)
    weights = torch.cartesian_prod(*(w for _, w in rules)).view(-1, box.dim).prod(-1)
    kernel = torch.ones(len(points), 1, dtype=torch.float64)
    for a in range(box.dim):
        along = hats(centre[a] - points[:, a], size)
        kernel = (kernel.unsqueeze(-1) * along.unsqueeze(-2)).flatten(-2)
    read = kernel @ table.flatten(1).mT
    return weights @ (read * smooth(points)) / (weights @ kernel.sum(-1))


def check_order(box: Box, base: tuple[int, ...], size: int, levels: tuple[int, ...]) -> None:
    """The operator tends to the integral at order two, at the points of the coarsest grid."""
    operator = LocalOperator(values(0, 2, *[size] * box.dim), SIDE)
    centres = Grid(base, box).points
    exact = torch.stack([integral(operator.weight, c, box) for c in centres])
    errors = []
    for refinement in levels:
        grid = Grid(tuple(refinement * n for n in base), box)
        image = operator(Function(grid, smooth(grid.points))).to_image()
        shared = (slice(None), *[slice(refinement // 2, None, refinement)] * box.dim)
        errors.append(float((image[shared].flatten(1).mT - exact).norm() / exact.norm()))
    order = math.log(errors[-2] / errors[-1], levels[-1] / levels[-2])
    assert errors[-1] < 2e-3
    assert order == pytest.approx(2, abs=0.2)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_equation_18_the_local_operator_is_an_integral_with_a_kernel(size: int):
    check_order(Box((1.0,)), (10,), size, (1, 3, 9, 27))


@pytest.mark.parametrize("size", [1, 3])
def test_equation_20_over_the_neighbourhood_in_the_plane(size: int):
    check_order(Box((1.0, 0.8)), (5, 4), size, (3, 9))


@given(seeds())
def test_equation_18_attention_is_an_integral_whose_kernel_reads_the_values(seed: int):
    """κ(c, b, x(c), x(b)) = e^{q(x(c))·k(x(b))} / ∫ e^{q(x(c))·k(x(b′))} db′, for each head."""
    shape, channels, head = (3, 5), 6, 2
    net = UNet(channels, 4, channel_multipliers=(1,), attention=(0,), head_dim=head)
    layer = randomised(net, seed % 1000).descent.middle[0].attention
    x = values(seed, 2, channels, *shape)
    grid = Grid(shape)
    normed = F.layer_norm(x.flatten(2).mT, (channels,), layer.norm.weight, layer.norm.bias)
    q, k, v = (normed @ layer.to_qkv.weight.mT + layer.to_qkv.bias).split(channels, -1)
    out = torch.zeros_like(v)
    for first in range(0, channels, head):
        one = slice(first, first + head)
        kernel = torch.einsum("pch,pbh->pcb", q[..., one], k[..., one]) / math.sqrt(head)
        kernel = kernel.exp()
        mass = torch.einsum("pcb,b->pc", kernel, grid.weights)
        integrals = torch.einsum("pcb,b,pbh->pch", kernel, grid.weights, v[..., one])
        out[..., one] = integrals / mass.unsqueeze(-1)
    expected = x.flatten(2).mT + out @ layer.to_out.weight.mT + layer.to_out.bias
    torch.testing.assert_close(layer(x).flatten(2).mT, expected, rtol=1e-10, atol=1e-10)


@given(st.sampled_from([(4, 3), (9, 5), (7, 8)]), seeds())
def test_equation_19_the_block_is_a_layer_of_such_integrals(shape: tuple[int, int], seed: int):
    """Residual: h = v + K v̄ by dense quadrature, then h + W₂ σ(W₁ h̄), with the bar for the norm."""
    grid, channels = Grid(shape, Box((1.0, 0.8))), 3
    block = randomised(LocalBlock(channels, 4, size=3), seed % 1000)
    v, e = values(seed, 2, grid.size, channels), values(seed + 1, 2, 4)
    along = [hats(grid.points[:, None, a] - grid.points[None, :, a], 3) for a in range(2)]
    window = torch.einsum("cbi,cbj->cbij", *along) * grid.weights[:, None, None]
    table = 9 * block.kernel
    numerator = torch.einsum("cbij,hij,pbh->pch", window, table, block.first_norm(v, e))
    h = v + numerator / window.sum((1, 2, 3)).unsqueeze(-1)
    hidden = block.second_norm(h, e) @ block.expand.weight.mT + block.expand.bias
    activated = hidden * torch.special.ndtr(hidden)
    expected = h + activated @ block.contract.weight.mT + block.contract.bias
    near = neighbours(grid, size=3, cell=SIDE)
    torch.testing.assert_close(block(v, e, near), expected, rtol=1e-10, atol=1e-10)


def test_equation_19_is_the_hidden_layer_of_a_block():
    """σ(W(v + K v)) = σ(W v + (W K) v): its kernel is a matrix, W times the depthwise table."""
    grid, channels = Grid((5, 4), Box((1.0, 0.8))), 3
    table, W, v = values(0, channels, 3, 3), values(1, channels, channels), values(2, 20, channels)
    local = LocalOperator(table, SIDE)(Function(grid, v)).values
    kernel = torch.zeros(20, 20, channels, channels, dtype=torch.float64)
    for (c, there), (b, here) in itertools.product(enumerate(grid.points), repeat=2):
        i, j = ((there - here) / SIDE).round().long().tolist()
        if max(abs(i), abs(j)) <= 1:
            kernel[c, b] = W * table[:, i + 1, j + 1]
    inside = (kernel.abs().sum((2, 3)) > 0).sum(1)
    integrals = torch.einsum("cbgh,bh->cg", kernel, v) / inside.unsqueeze(-1)
    torch.testing.assert_close(F.gelu((v + local) @ W.mT), F.gelu(v @ W.mT + integrals))
