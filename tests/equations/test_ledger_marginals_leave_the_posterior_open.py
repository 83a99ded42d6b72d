r"""Eqs. (21) to (32) hold for a family of laws; the chain from T x0 singles out eq. (12).

The derivation asks for :math:`q(x_{t-1}|x_t, x_0) = \mathcal N(A x_t + b, L^{-1})` with the right
marginals at :math:`t` and :math:`t-1`. Every :math:`L^{-1} = v\,T T^t` with :math:`0 \le v \le 1 -
\bar\alpha_{t-1}` has a pair :math:`A, b` that passes, among them the members of DDIM, which are
no Markov chains forward. The chain :math:`x_t = \sqrt{\alpha_t}\,x_{t-1} + \sqrt{\beta_t}\,T\xi`
from :math:`T x_0` has :math:`v = \tilde\beta_t`. Operators are dense matrices here.
"""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paper import NOISE, Paper, close, normal, settings
from torch import Generator, Tensor

from inftydiff import (
    DDIM,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Prediction,
    gaussian_mollifier,
)
from inftydiff.processes import CallableDenoiser
from inftydiff.testing import matrix_of
from inftydiff.testing.strategies import KnotSchedule, seeds

GRID = Grid((4, 3))
T = gaussian_mollifier(0.15)
MATRIX = matrix_of(T, GRID)[0]
COVARIANCE = GaussianMeasure(None, T, NOISE).covariance(GRID)
"""T Tᵗ, with the noise's intensity."""


class Gaussian(NamedTuple):
    """A mean, of shape (points, 1), and a covariance."""

    mean: Tensor
    covariance: Tensor


class Affine(NamedTuple):
    """The law N(A x + b, L⁻¹) of x_{t-1} given x_t = x."""

    A: Tensor
    b: Tensor
    covariance: Tensor

    def after(self, law: Gaussian) -> Gaussian:
        """The marginal of x_{t-1}, eq. (24), from that of x_t."""
        return Gaussian(
            self.A @ law.mean + self.b, self.covariance + self.A @ law.covariance @ self.A.mT
        )


def marginal(process: DiffusionProcess, x0: Tensor, t: Tensor) -> Gaussian:
    law = process.marginal(Function(GRID, x0), t)
    return Gaussian(law.mean.values[0], law.covariance(GRID)[0])


def same(found: Gaussian, expected: Gaussian) -> None:
    close(found.mean, expected.mean)
    close(found.covariance, expected.covariance)


def units_and_zero() -> Function:
    """A batch of states: one of each unit vector, and zero at last."""
    states = torch.eye(GRID.size + 1, GRID.size, dtype=torch.float64)
    return Function(GRID, states.unsqueeze(-1))


def affine(values: Tensor, covariance: Tensor) -> Affine:
    """From the means at the unit vectors and at zero."""
    b = values[-1]
    return Affine((values[:-1, :, 0] - b.mT).mT, b, covariance)


def posterior(process: DiffusionProcess, x0: Tensor, paper: Paper) -> Affine:
    states = units_and_zero()
    t, s = (time.expand(GRID.size + 1) for time in (paper.t, paper.s))
    clean = Function(GRID, x0.expand(len(t), -1, -1))
    law = process.posterior(states, clean, t, s)
    return affine(law.mean.values, law.covariance(GRID)[0])


def ddim(process: DiffusionProcess, x0: Tensor, paper: Paper, eta: float, seed: int) -> Affine:
    """A step of DDIM whose denoiser knows x0, less the noise that it adds."""
    states = units_and_zero()
    batch = GRID.size + 1
    signal = Function(GRID, (MATRIX @ x0).expand(batch, -1, -1))

    def exact(x: Function, t: Tensor) -> Prediction:
        alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
        return Prediction(signal, (x - signal * alpha) * (1 / sigma))

    t, s = (time.expand(batch) for time in (paper.t, paper.s))
    step = DDIM(eta).step(
        CallableDenoiser(process, exact), states, t, s, generator=Generator().manual_seed(seed)
    )
    draw = process.draw_noise(
        GRID,
        batch=batch,
        channels=1,
        generator=Generator().manual_seed(seed),
        dtype=torch.float64,
    )
    variance = eta**2 * paper.beta_tilde
    return affine(step.values - variance.sqrt() * draw.values, variance * COVARIANCE)


@pytest.mark.thorough
@given(settings(T))
def test_equations_21_and_22_the_marginals_at_both_times(setting):
    process, paper, g = setting
    x0 = normal(g, GRID)
    for t, alpha_bar in ((paper.s, paper.alpha_bar_before), (paper.t, paper.alpha_bar)):
        law = marginal(process, x0, t)
        close(law.mean, alpha_bar.sqrt() * (MATRIX @ x0[0]))
        close(law.covariance, (1 - alpha_bar) * COVARIANCE)


@pytest.mark.thorough
@given(settings(T))
def test_equations_23_to_25_the_three_laws_are_those_of_one_gaussian_pair(setting):
    """The pair with both marginals and A Λ⁻¹ between them, conditioned, is N(A x_t + b, L⁻¹)."""
    process, paper, g = setting
    x0 = normal(g, GRID)
    law, step = marginal(process, x0, paper.t), posterior(process, x0, paper)
    before = marginal(process, x0, paper.s)
    cross = step.A @ law.covariance
    gain = torch.linalg.solve(law.covariance, cross.mT).mT
    x_t = law.mean + torch.linalg.cholesky(law.covariance) @ normal(g, GRID)[0]
    close(before.mean + gain @ (x_t - law.mean), step.A @ x_t + step.b)
    close(before.covariance - gain @ cross.mT, step.covariance, rtol=1e-6)


@pytest.mark.thorough
@given(settings(T))
def test_equation_26_the_posterior_s_three_parts(setting):
    process, paper, g = setting
    x0 = normal(g, GRID)
    found = posterior(process, x0, paper)
    close(found.A, paper.state * torch.eye(GRID.size, dtype=torch.float64))
    close(found.b, paper.signal * (MATRIX @ x0[0]))
    close(found.covariance, paper.beta_tilde * COVARIANCE)


@pytest.mark.thorough
@given(settings(T))
def test_equations_27_to_29_its_mean_passes(setting):
    process, paper, g = setting
    x0 = normal(g, GRID)
    after = posterior(process, x0, paper).after(marginal(process, x0, paper.t))
    signal = MATRIX @ x0[0]
    alpha, alpha_bar, before = paper.alpha, paper.alpha_bar, paper.alpha_bar_before
    b = paper.signal * signal
    line_27 = (alpha_bar * alpha).sqrt() * (1 - before) / (1 - alpha_bar) * signal + b
    numerator = (alpha_bar * alpha).sqrt() * (1 - before) + before.sqrt() * (1 - alpha)
    line_28 = numerator / (1 - alpha_bar) * signal
    line_29 = before.sqrt() * (alpha - alpha_bar + 1 - alpha) / (1 - alpha_bar) * signal
    for line in (line_27, line_28, line_29, marginal(process, x0, paper.s).mean):
        close(after.mean, line)


@pytest.mark.thorough
@given(settings(T))
def test_equations_30_to_32_its_covariance_passes(setting):
    process, paper, g = setting
    x0 = normal(g, GRID)
    after = posterior(process, x0, paper).after(marginal(process, x0, paper.t))
    alpha, alpha_bar, before = paper.alpha, paper.alpha_bar, paper.alpha_bar_before
    rest = 1 - alpha_bar
    line_30 = (1 - before) * (1 - alpha) / rest + alpha * (1 - before) ** 2 * rest / rest**2
    numerator = 1 - before - alpha + alpha_bar + alpha - 2 * alpha_bar + alpha * before**2
    line_31, line_32 = numerator / rest, rest * (1 - before) / rest
    for line in (line_30, line_31, line_32):
        close(after.covariance, line * COVARIANCE, rtol=1e-7)
    close(after.covariance, marginal(process, x0, paper.s).covariance)


@pytest.mark.thorough
@given(settings(T), st.floats(0.0, 0.9), seeds())
def test_equations_29_and_32_every_member_of_ddim_passes(setting, eta: float, seed: int):
    process, paper, g = setting
    x0 = normal(g, GRID)
    law = marginal(process, x0, paper.t)
    member = ddim(process, x0, paper, eta, seed)
    same(member.after(law), marginal(process, x0, paper.s))
    exact = posterior(process, x0, paper)
    assert (member.A - exact.A).abs().max() > 1e-9
    assert (member.covariance - exact.covariance).norm() > 0.1 * exact.covariance.norm()


def family(paper: Paper, x0: Tensor, share: float | Tensor) -> Affine:
    """The pair A, b for L⁻¹ = v T Tᵗ with v this share of 1 − ᾱ_{t-1}."""
    rest = 1 - paper.alpha_bar_before
    a = ((1 - share) * rest / (1 - paper.alpha_bar)).sqrt()
    b = (paper.alpha_bar_before.sqrt() - a * paper.alpha_bar.sqrt()) * (MATRIX @ x0[0])
    return Affine(a * torch.eye(GRID.size, dtype=torch.float64), b, share * rest * COVARIANCE)


@pytest.mark.thorough
@given(settings(T), st.floats(0.0, 1.0))
def test_equations_29_and_32_every_variance_up_to_the_marginal_s_passes(setting, share: float):
    process, paper, g = setting
    x0 = normal(g, GRID)
    law = marginal(process, x0, paper.t)
    same(family(paper, x0, share).after(law), marginal(process, x0, paper.s))
    exact = posterior(process, x0, paper)
    found = family(paper, x0, paper.beta_tilde / (1 - paper.alpha_bar_before))
    for part, expected in zip(found, exact, strict=True):
        close(part, expected, rtol=1e-6)


@given(st.lists(st.floats(0.05, 0.7), min_size=2, max_size=6), seeds())
def test_equation_26_the_chain_from_the_mollified_data_singles_it_out(betas, seed: int):
    """The law of two neighbours of the chain, conditioned, is the posterior: v is β̃_t."""
    squares = (1 - torch.tensor([0.0, *betas], dtype=torch.float64)).cumprod(0)
    schedule = KnotSchedule(tuple(squares.sqrt().tolist()))
    process = DiffusionProcess.mollified(schedule, T, noise=NOISE)
    times = torch.linspace(0, 1, len(squares), dtype=torch.float64)
    x0 = normal(Generator().manual_seed(seed), GRID)

    means, covariance = [MATRIX @ x0[0]], torch.zeros_like(COVARIANCE)
    for beta in betas:
        means.append((1 - beta) ** 0.5 * means[-1])
        before, cross = covariance, (1 - beta) ** 0.5 * covariance
        covariance = (1 - beta) * covariance + beta * COVARIANCE
    gain = torch.linalg.solve(covariance, cross).mT
    paper = Paper.at(schedule, times[-1:], times[-2:-1])
    exact = posterior(process, x0, paper)
    close(gain, exact.A)
    close(means[-2] - gain @ means[-1], exact.b)
    close(before - gain @ cross, exact.covariance)
    same(Gaussian(means[-1], covariance), marginal(process, x0, times[-1:]))

    unmollified = squares[-1].sqrt() * x0[0]
    assert (unmollified - means[-1]).norm() > 0.1 * means[-1].norm()


@given(settings(T), st.floats(0.0, 1.0))
def test_equation_26_the_others_are_no_markov_chains(setting, share: float):
    """Forward, x_t given x_{t-1} and x0 depends on x0, but for the share of β̃_t."""
    _, paper, g = setting
    x0 = normal(g, GRID)
    rest = 1 - paper.alpha_bar_before

    def dependence(member: Affine) -> Tensor:
        slope = member.A[0, 0] * (1 - paper.alpha_bar) / rest
        return paper.alpha_bar.sqrt() - slope * paper.alpha_bar_before.sqrt()

    markov = paper.beta_tilde / rest
    assert dependence(family(paper, x0, markov)).abs() < 1e-9
    away = dependence(family(paper, x0, share)).abs()
    assert away >= 0.1 * (share - markov).abs() * (paper.alpha_bar * (1 - paper.alpha_bar)).sqrt()
