"""The drift of the forward equation meets the Lipschitz condition, eq. (16), on every grid alike.

Its constant is the largest half β, 500 log(1/0.98) = 10.1 for the linear schedule. The reversed
drift meets it from any time above 0 on, but with a constant that grows without bound as that time
falls to 0.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paper import NOISE, normal
from torch import Generator, Tensor

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    LinearSchedule,
    gaussian_mollifier,
)
from inftydiff.processes import ForwardSDE, ReverseSDE, rates
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.strategies import seeds

T = gaussian_mollifier(0.1)
CONSTANT = 500 * math.log(1 / 0.98)


def process(kind: str, schedule) -> DiffusionProcess:
    if kind == "white":
        return DiffusionProcess.white(schedule, noise=NOISE)
    return DiffusionProcess.mollified(schedule, T, noise=NOISE)


def paths(g: Generator, times: Tensor, grid: Grid) -> Function:
    """Random walks over the times, one value a time in the batch."""
    walk = normal(g, grid, batch=len(times)).cumsum(0) / len(times) ** 0.5
    return Function(grid, walk)


@pytest.mark.parametrize("kind", ["white", "mollified"])
@given(n=st.integers(1, 12), seed=seeds())
def test_equation_16_forward(kind: str, n: int, seed: int):
    g = Generator().manual_seed(seed)
    times = torch.linspace(0, 1, 30, dtype=torch.float64)
    grid = Grid((n, 3))
    x, y = paths(g, times, grid), paths(g, times, grid)
    drift = ForwardSDE(process(kind, LinearSchedule())).drift
    apart = (drift(x, times) - drift(y, times)).norm()
    assert bool((apart <= CONSTANT * (1 + 1e-9) * (x - y).norm().cummax(0).values).all())


def test_equation_16_no_smaller_constant_will_do():
    grid, last = Grid((4,)), torch.tensor([0.9999], dtype=torch.float64)
    drift = ForwardSDE(process("mollified", LinearSchedule())).drift
    g = Generator().manual_seed(0)
    x, y = (Function(grid, normal(g, grid)) for _ in range(2))
    found = (drift(x, last) - drift(y, last)).norm() / (x - y).norm()
    torch.testing.assert_close(found.item(), CONSTANT, rtol=1e-9, atol=0)


def reversed_constant(kind: str, time: float, n: int) -> float:
    """The norm of the reversed drift, which is linear for Gaussian data, as a dense matrix."""
    grid, t = Grid((n,)), torch.full((n,), time, dtype=torch.float64)
    chain = process(kind, CosineSchedule())
    data = GaussianMeasure(None, gaussian_mollifier(0.3), NOISE)
    units = Function(grid, torch.eye(n, dtype=torch.float64).unsqueeze(-1))
    matrix = ReverseSDE(GaussianDenoiser(chain, data)).drift(units, t).values[..., 0]
    return torch.linalg.matrix_norm(matrix, 2).item()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["white", "mollified"])
def test_equation_16_reversed_from_a_time_above_0_on(kind: str):
    bounds = []
    for time in (0.5, 0.1, 0.02):
        t = torch.tensor([time], dtype=torch.float64)
        chain = process(kind, CosineSchedule())
        f, g = rates(chain, t, Grid((4,)))
        bound = (f.abs() + g**2 / chain.schedule.sigma(t) ** 2).item()
        found = [reversed_constant(kind, time, n) for n in (4, 8, 16)]
        assert max(found) <= bound * (1 + 1e-9)
        assert found[2] >= found[1] * (1 - 1e-12) >= found[0] * (1 - 1e-11)
        bounds.append(found[2])
    assert bounds[2] > 2 * bounds[1] > 4 * bounds[0]
