r"""The equations (6) to (8), (15) and (17) corrected carry the densities of the process.

The data are a mixture of Gaussians, so that :math:`p_t` is known and not Gaussian. With the score
:math:`s = \nabla\log p_t` and the noise's covariance :math:`C`, the equations of Fokker and Planck
and of continuity, divided by :math:`p_t`, are for the forward drift F, the reversed drift B and the
flow's v

.. math::
   \partial_t\log p + \operatorname{div} F + F\cdot s - D = 0, \quad
   \partial_t\log p + \operatorname{div} B + B\cdot s + D = 0, \quad
   \partial_t\log p + \operatorname{div} v + v\cdot s = 0,

with :math:`D = \tfrac12 g^2(\operatorname{tr} C\nabla s + s^t C s)`.
"""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paper import NOISE, Paper, normal
from torch import Generator, Tensor
from torch.autograd.functional import hessian, jacobian

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    LinearSchedule,
    gaussian_mollifier,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import ForwardSDE, ProbabilityFlowODE, ReverseSDE, rates
from inftydiff.testing import matrix_of
from inftydiff.testing.oracles import MixtureDenoiser
from inftydiff.testing.strategies import seeds

GRID = Grid((3,))
SCHEDULES = (CosineSchedule(), LinearSchedule())
WEIGHTS = torch.tensor([0.3, 0.7], dtype=torch.float64)

times = st.integers(100, 899).map(lambda i: (i + 0.5) / 1000)
"""Within a piece of the linear schedule."""


class Setting(NamedTuple):
    """A process, its exact denoiser, a time, a state, and what its density does there."""

    process: DiffusionProcess
    denoiser: MixtureDenoiser
    t: Tensor
    x: Tensor
    covariance: Tensor
    rate: Tensor
    score: Tensor
    spread: Tensor
    """g² (tr C∇s + sᵗCs) / 2."""

    def divergence_and_product(self, drift) -> Tensor:
        """Div F + F·s of a drift."""

        def at(values: Tensor) -> Tensor:
            return drift(Function(GRID, values[None, :, None]), self.t).values.flatten()

        return jacobian(at, self.x).trace() + at(self.x) @ self.score


def setting(kind: str, schedule, at: float, seed: int) -> Setting:
    g = Generator().manual_seed(seed)
    T = gaussian_mollifier(0.2)
    process = (
        DiffusionProcess.white(schedule, noise=NOISE)
        if kind == "white"
        else DiffusionProcess.mollified(schedule, T, noise=NOISE)
    )
    means = [Function(GRID, normal(g, GRID)[0]) for _ in range(2)]
    factors = [gaussian_mollifier(0.15), 0.5 * gaussian_mollifier(0.3)]
    parts = [
        GaussianMeasure(mean, factor, NOISE) for mean, factor in zip(means, factors, strict=True)
    ]
    C = GaussianMeasure(None, process.noise_factor, NOISE).covariance(GRID)
    matrix = matrix_of(process.signal, GRID)[0]
    covariances = [
        GaussianMeasure(None, process.signal @ factor, NOISE).covariance(GRID) for factor in factors
    ]

    def log_density(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = schedule.alpha(t), schedule.sigma(t)
        logs = [
            torch.distributions.MultivariateNormal(
                (alpha * (matrix @ mean.values)).flatten(), alpha**2 * P + sigma**2 * C
            ).log_prob(x)
            for mean, P in zip(means, covariances, strict=True)
        ]
        return torch.logsumexp(torch.stack(logs) + WEIGHTS.log(), 0)

    t = torch.tensor([at], dtype=torch.float64)
    x = 0.7 * normal(g, GRID).flatten()
    rate, score = (
        jacobian(lambda time: log_density(x, time), t),
        jacobian(lambda state: log_density(state, t), x),
    )
    curvature = hessian(lambda state: log_density(state, t).squeeze(), x)
    spread = (C @ curvature).trace() + score.flatten() @ C @ score.flatten()
    g2 = rates(process, t, GRID).diffusion ** 2
    denoiser = MixtureDenoiser(process, WEIGHTS.tolist(), parts)
    return Setting(process, denoiser, t, x, C, rate.flatten(), score.flatten(), 0.5 * g2 * spread)


def balances(*terms: Tensor) -> None:
    """Their sum vanishes beside the largest of them."""
    total = torch.stack([term.squeeze() for term in terms])
    assert total.sum().abs() < 1e-9 * total.abs().max()


def forward(kind: str, schedule, at: float, seed: int) -> None:
    case = setting(kind, schedule, at, seed)
    balances(case.rate, case.divergence_and_product(ForwardSDE(case.process).drift), -case.spread)


def reversed_(kind: str, schedule, at: float, seed: int) -> None:
    case = setting(kind, schedule, at, seed)
    drift = ReverseSDE(case.denoiser).drift
    balances(case.rate, case.divergence_and_product(drift), case.spread)


@pytest.mark.thorough
@given(st.sampled_from(SCHEDULES), times, seeds())
def test_equation_6_forward(schedule, at: float, seed: int):
    forward("white", schedule, at, seed)


@pytest.mark.thorough
@given(st.sampled_from(SCHEDULES), times, seeds())
def test_equation_7_reversed(schedule, at: float, seed: int):
    reversed_("white", schedule, at, seed)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["white", "mollified"])
@given(schedule=st.sampled_from(SCHEDULES), at=times, seed=seeds())
def test_equation_8_without_noise(kind: str, schedule, at: float, seed: int):
    case = setting(kind, schedule, at, seed)
    drift = ProbabilityFlowODE(case.denoiser).drift
    balances(case.rate, case.divergence_and_product(drift))


@pytest.mark.thorough
@given(st.sampled_from(SCHEDULES), times, seeds())
def test_equation_15_forward_with_mollified_noise(schedule, at: float, seed: int):
    forward("mollified", schedule, at, seed)


@pytest.mark.thorough
@given(st.sampled_from(SCHEDULES), times, seeds())
def test_equation_17_corrected_reversed_with_the_covariance_before_the_gradient(
    schedule, at: float, seed: int
):
    reversed_("mollified", schedule, at, seed)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_equation_17_printed_does_not_carry_the_density(seed: int):
    """In the clock of ½β it is F − 2∇log p without C; that drift leaves a residual."""
    case = setting("mollified", CosineSchedule(), 0.4, seed)
    g2 = rates(case.process, case.t, GRID).diffusion ** 2
    reverse = ReverseSDE(case.denoiser).drift
    inverse = torch.linalg.inv(case.covariance)

    def printed(x: Function, t: Tensor) -> Function:
        forward = ForwardSDE(case.process).drift(x, t)
        with_covariance = reverse(x, t) - forward
        return forward + Function(GRID, inverse @ with_covariance.values)

    x = Function(GRID, case.x[None, :, None])
    found = (printed(x, case.t) - ForwardSDE(case.process).drift(x, case.t)).values.flatten()
    torch.testing.assert_close(found, -g2 * case.score, rtol=1e-7, atol=1e-7)
    residual = case.rate + case.divergence_and_product(printed) + case.spread
    assert residual.abs() > 0.1 * case.rate.abs()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_equation_6_is_the_limit_of_the_chain(schedule):
    """A short step of eq. (1) moves by f h on average, with the variance g² h."""
    process = DiffusionProcess.white(schedule, noise=NOISE)
    t = torch.tensor([0.5005], dtype=torch.float64)
    f, g = rates(process, t, GRID)
    errors = []
    for h in (2e-4, 1e-4):
        beta = Paper.at(schedule, t + h, t).beta
        errors.append(torch.stack([((1 - beta).sqrt() - 1) / h - f, beta / h - g**2]))
    assert bool((errors[1].abs() < 2e-3 * g**2).all())
    torch.testing.assert_close(
        errors[0] / errors[1], torch.full_like(errors[0], 2), rtol=0.1, atol=0
    )


def test_equation_15_in_the_clock_of_half_beta():
    """With du = ½β dt, dx = −x du + √2 T dw: an Ornstein–Uhlenbeck process started at T x0.

    Its Euler–Maruyama moments, mode by mode, tend to those of the marginal at first order.
    """
    grid, T = Grid((6, 5)), gaussian_mollifier(0.1)
    process = DiffusionProcess.mollified(CosineSchedule(), T, noise=NOISE)
    t = torch.tensor([0.6], dtype=torch.float64)
    x0 = Function(grid, normal(Generator().manual_seed(0), grid))
    law = process.marginal(x0, t)
    clock = -process.schedule.alpha(t).log().item()
    C = GaussianMeasure(None, T, NOISE).mode_variances(grid)
    modes = eigenbasis(grid.domain).synthesis(torch.eye(grid.size).double().view(-1, *grid.shape))
    modes = modes.flatten(1).mT / grid.cell_volume**0.5
    errors = []
    for n in (100, 200):
        h = clock / n
        mean, variance = T(x0).values, torch.zeros_like(C)
        for _ in range(n):
            mean, variance = (1 - h) * mean, (1 - h) ** 2 * variance + 2 * h * C
        covariance = modes @ variance.flatten().diag() @ modes.mT
        errors.append(
            torch.stack(
                [
                    (mean - law.mean.values).norm() / law.mean.values.norm(),
                    (covariance - law.covariance(grid)[0]).norm() / law.covariance(grid).norm(),
                ]
            )
        )
    assert bool((errors[1] < 0.02).all())
    torch.testing.assert_close(
        errors[0] / errors[1], torch.full_like(errors[0], 2), rtol=0.05, atol=0
    )
