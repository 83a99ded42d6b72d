r"""Tweedie: the oracles' means are derivatives of their log densities.

.. math:: E[N\xi|x_t] = -\sigma C\nabla\log p(x_t), \qquad
          \alpha\,E[S x_0|x_t] = x_t + \sigma^2 C\nabla\log p(x_t).
"""

import torch
from dense_oracles import process_and_data, state
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Subset,
    WhiteNoise,
)
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.oracles import MixtureDenoiser
from inftydiff.testing.strategies import grids, seeds


@given(
    data=st.data(),
    grid=grids(most_dim=2, most=16, boundaries=BOUNDARIES),
    mixed=st.booleans(),
    half=st.booleans(),
    seed=seeds(),
)
def test_the_noise_is_the_preconditioned_score(
    data, grid: Grid, mixed: bool, half: bool, seed: int
):
    process, law = process_and_data(data, grid)
    on = Subset(grid, torch.arange(0, grid.size, 2)) if half else grid
    oracle = GaussianDenoiser(process, law)
    if mixed:
        shifted = GaussianMeasure(state(grid, 1, 2, seed), law.factor, law.noise)
        wider = GaussianMeasure(None, 2.0 * law.factor, law.noise)
        oracle = MixtureDenoiser(process, (0.4, 0.6), (shifted, wider))
    t = torch.tensor([0.2, 0.6, 0.95], dtype=torch.float64)
    alpha, sigma = (
        a.reshape(-1, 1, 1) for a in (process.schedule.alpha(t), process.schedule.sigma(t))
    )
    values = state(on, 3, 2, seed + 1).values.requires_grad_()
    (score,) = torch.autograd.grad(oracle.log_density(Function(on, values), t).sum(), values)
    C = GaussianMeasure(None, process.noise_factor, process.noise).covariance(on)
    said = oracle(Function(on, values.detach()), t)
    scale = values.abs().max().item() / min(1.0, sigma.min().item())
    torch.testing.assert_close(said.noise.values, -sigma * (C @ score), rtol=0, atol=1e-7 * scale)
    torch.testing.assert_close(
        alpha * said.signal.values,
        values.detach() + sigma**2 * (C @ score),
        rtol=0,
        atol=1e-7 * scale,
    )


def test_the_density_of_a_number_has_one_mass_at_every_time():
    on = Grid((), Point())
    process = DiffusionProcess.white(CosineSchedule(), noise=WhiteNoise(0.5))
    one = Function(on, torch.ones(1, 1, dtype=torch.float64))
    parts = [
        GaussianMeasure(one * m, Identity() * s, WhiteNoise()) for m, s in ((1.0, 0.3), (-1.0, 0.8))
    ]
    x = torch.linspace(-12.0, 12.0, 20_001, dtype=torch.float64)
    for time in (0.0, 0.4, 1.0):
        t = torch.full_like(x, time)
        log = MixtureDenoiser(process, (0.3, 0.7), parts).log_density(
            Function(on, x.reshape(-1, 1, 1)), t
        )
        mass = torch.trapezoid(log.exp(), x).item()
        assert abs(mass - (2.0 * torch.pi) ** 0.5) < 1e-9
