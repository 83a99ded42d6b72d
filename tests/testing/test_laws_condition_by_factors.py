"""Conditioning by factors is the Schur complement, and keeps the digits that covariances lose."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import Box, Grid
from inftydiff.operators.basis import eigenbasis
from inftydiff.testing.dense import LinearGaussian, modes_of
from inftydiff.testing.strategies import grids, seeds


def normal(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@given(points=st.integers(1, 6), batch=st.integers(1, 3), seed=seeds())
def test_it_is_the_schur_complement(points: int, batch: int, seed: int):
    g = torch.Generator().manual_seed(seed)
    mean, observed = normal(g, batch, points), normal(g, batch, points)
    F, A, G = (normal(g, batch, points, points) for _ in range(3))
    G = G + 3.0 * torch.eye(points, dtype=torch.float64)
    law = LinearGaussian(mean, F, A, G).given(observed)
    C = F @ F.mT
    gain = C @ A.mT @ torch.linalg.pinv(A @ C @ A.mT + G @ G.mT, hermitian=True)
    surprise = observed.unsqueeze(-1) - A @ mean.unsqueeze(-1)
    scale = (1.0 + gain.abs().max()) ** 2 * (1.0 + C.abs().max())
    expected = mean + (gain @ surprise).squeeze(-1)
    torch.testing.assert_close(law.mean, expected, rtol=0, atol=1e-9 * scale.item())
    expected = C - gain @ A @ C
    torch.testing.assert_close(law.covariance, expected, rtol=0, atol=1e-9 * scale.item())


@given(
    variances=st.lists(st.floats(-18.0, 0.0), min_size=2, max_size=8),
    ratio=st.floats(0.1, 10.0),
    seed=seeds(),
)
def test_small_variances_are_as_exact_as_large_ones(variances, ratio: float, seed: int):
    """Of x and y = x + noise, both with these variances in the modes, x is known mode by mode."""
    g = torch.Generator().manual_seed(seed)
    stds = torch.tensor([10.0 ** (0.5 * v) for v in variances], dtype=torch.float64)
    n = len(variances)
    x = stds * normal(g, 1, n)
    observed = x + ratio * stds * normal(g, 1, n)
    one = torch.eye(n, dtype=torch.float64)
    law = LinearGaussian(torch.zeros(1, n).double(), stds.diag(), one, ratio * stds.diag())
    found = law.given(observed)
    share = 1.0 / (1.0 + ratio**2)
    torch.testing.assert_close(found.mean / stds, share * observed / stds, rtol=1e-10, atol=1e-12)
    left = found.covariance.diagonal(dim1=-2, dim2=-1) / stds**2
    torch.testing.assert_close(left, torch.full_like(left, 1.0 - share), rtol=1e-10, atol=0)


@given(grid=grids(most=8, most_dim=3, boundaries=("reflecting", "periodic", "absorbing")))
def test_the_modes_of_a_grid_are_an_orthogonal_matrix(grid: Grid):
    modes = modes_of(grid)
    torch.testing.assert_close(modes.mT @ modes, torch.eye(grid.size, dtype=torch.float64))


def test_the_modes_are_those_of_the_eigenbasis():
    grid = Grid((3, 4), Box((1.0, 2.0), ("absorbing", "periodic")))
    values = torch.arange(12.0, dtype=torch.float64)
    expected = eigenbasis(grid.domain).analysis(values.reshape(3, 4)).flatten()
    torch.testing.assert_close(modes_of(grid).mT @ values, expected)
