r"""Every form of the loss is the divergence of the posterior from the model's step.

Eqs. (3), (13), (34), (35), (37), (38), (39) corrected, (41), (42), (43) and (45) are
:math:`\mathrm{KL}(q(x_{t-1}|x_t, x_0)\,\|\,p_\theta(x_{t-1}|x_t))`, less a number that does not
depend on the model, computed here from dense covariance matrices. The mollifier leaves nothing
above the modes of the grid, so that :math:`T T^t` is a product of matrices there; norms are those
of L² over the noise's intensity.
"""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paper import NOISE, Paper, close, mean_of_step, normal, settings, variances
from torch import Generator, Tensor

from inftydiff import (
    Box,
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    NoisePrediction,
    as_denoiser,
    gaussian_mollifier,
)
from inftydiff.operators.domain import Point
from inftydiff.processes.divergence import kl_divergence
from inftydiff.processes.elbo import evidence_bound
from inftydiff.processes.reference import NoDensity
from inftydiff.testing import matrix_of
from inftydiff.testing.strategies import seeds

GRID = Grid((3, 2), Box((1.25, 1.0)))
T = gaussian_mollifier(0.6)
MATRIX = matrix_of(T, GRID)[0]
COVARIANCE = GaussianMeasure(None, T, NOISE).covariance(GRID)
VECTORS = Grid((), Point())

any_setting = settings(T)


def divergence(first: Tensor, second: Tensor, covariance: Tensor, q: Tensor, p: Tensor) -> Tensor:
    """Of the law with covariance q C from that with p C, less its value for equal means."""
    exact, model, centred = (
        torch.distributions.MultivariateNormal(mean.squeeze(-1), variance * covariance)
        for mean, variance in ((first, q), (second, p), (first, p))
    )
    kl = torch.distributions.kl_divergence
    return kl(exact, model) - kl(exact, centred)


@dataclass(frozen=True)
class Case:
    """A state made of x0 and ξ, what the network says of it, and the step and loss that follow."""

    process: DiffusionProcess
    paper: Paper
    variance: Tensor
    x0: Tensor
    xi: Tensor
    x_t: Tensor
    f: Tensor
    mu: Tensor

    @property
    def divergence(self) -> Tensor:
        exact = self.posterior_mean(self.x0)
        return divergence(exact, self.mu, COVARIANCE, self.paper.beta_tilde, self.variance)

    def posterior_mean(self, x0: Tensor) -> Tensor:
        state, clean = Function(GRID, self.x_t), Function(GRID, x0)
        return self.process.posterior(state, clean, self.paper.t, self.paper.s).mean.values

    def loss(self, difference: Tensor, weight: float | Tensor = 1.0) -> Tensor:
        """Half the squared norm over σ_t², times a weight."""
        norm = Function(GRID, difference).norm() / NOISE.intensity
        return weight * norm**2 / (2 * self.variance)


def unmollified(values: Tensor) -> Tensor:
    return torch.linalg.solve(MATRIX, values)


def case_of(predict: CleanPrediction | NoisePrediction, setting, kind: str) -> Case:
    process, paper, g = setting
    x0, xi, f = (normal(g, GRID) for _ in range(3))
    f = MATRIX @ f if isinstance(predict, NoisePrediction) else f
    x_t = paper.alpha_bar.sqrt() * (MATRIX @ x0) + (1 - paper.alpha_bar).sqrt() * (MATRIX @ xi)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=predict)
    mu = mean_of_step(denoiser, Function(GRID, x_t), paper, kind)
    return Case(process, paper, paper.variance(kind), x0, xi, x_t, f, mu)


def same(loss: Tensor, case: Case) -> None:
    close(loss, case.divergence, rtol=1e-6)


@pytest.mark.thorough
@pytest.mark.parametrize("predict", [CleanPrediction(), NoisePrediction()])
@given(setting=any_setting, kind=variances)
def test_equation_34_the_loss_is_the_divergence(predict, setting, kind: str):
    case = case_of(predict, setting, kind)
    same(case.loss(unmollified(case.posterior_mean(case.x0) - case.mu)), case)


@pytest.mark.thorough
@pytest.mark.parametrize("predict", [CleanPrediction(), NoisePrediction()])
@given(setting=any_setting, kind=variances)
def test_equation_35_with_the_posterior_s_mean_written_out(predict, setting, kind: str):
    case = case_of(predict, setting, kind)
    exact = case.paper.signal * (MATRIX @ case.x0) + case.paper.state * case.x_t
    same(case.loss(unmollified(exact - case.mu)), case)


@pytest.mark.thorough
@given(any_setting, variances)
def test_equation_37_with_the_predicted_function(setting, kind: str):
    case = case_of(CleanPrediction(), setting, kind)
    exact = case.paper.signal * (MATRIX @ case.x0) + case.paper.state * case.x_t
    model = case.paper.signal * (MATRIX @ case.f) + case.paper.state * case.x_t
    same(case.loss(unmollified(exact - model)), case)


@pytest.mark.thorough
@given(any_setting, variances)
def test_equation_38_without_the_mollifier(setting, kind: str):
    case = case_of(CleanPrediction(), setting, kind)
    same(case.loss(case.paper.signal * case.x0 - case.paper.signal * case.f), case)


@given(any_setting, variances)
def test_equation_39_corrected_is_the_divergence(setting, kind: str):
    case = case_of(CleanPrediction(), setting, kind)
    paper = case.paper
    weight = paper.alpha_bar_before * paper.beta**2 / (1 - paper.alpha_bar) ** 2
    same(case.loss(case.x0 - case.f, weight), case)


@given(any_setting, variances)
def test_equation_41_for_the_predicted_noise(setting, kind: str):
    case = case_of(NoisePrediction(), setting, kind)
    same(case.loss(unmollified(case.posterior_mean(case.x0) - case.mu)), case)


@pytest.mark.thorough
@given(any_setting, variances)
def test_equation_42_with_the_function_from_state_and_noise(setting, kind: str):
    case = case_of(NoisePrediction(), setting, kind)
    std = (1 - case.paper.alpha_bar).sqrt()
    x0 = unmollified(case.x_t - std * (MATRIX @ case.xi)) / case.paper.alpha_bar.sqrt()
    same(case.loss(unmollified(case.posterior_mean(x0) - case.mu)), case)


def mean_from_noise(case: Case, noise: Tensor) -> Tensor:
    paper = case.paper
    return (case.x_t - paper.beta / (1 - paper.alpha_bar).sqrt() * noise) / paper.alpha.sqrt()


@pytest.mark.thorough
@given(any_setting, variances)
def test_equation_43_and_13_with_the_mean_from_the_noise(setting, kind: str):
    case = case_of(NoisePrediction(), setting, kind)
    exact = mean_from_noise(case, MATRIX @ case.xi)
    same(case.loss(unmollified(exact - case.mu)), case)


@pytest.mark.thorough
@given(any_setting, variances)
def test_equation_45_as_printed_and_with_its_weight_collected(setting, kind: str):
    case = case_of(NoisePrediction(), setting, kind)
    paper, target = case.paper, MATRIX @ case.xi
    scale = paper.beta / (1 - paper.alpha_bar).sqrt()
    same(case.loss(unmollified(scale * case.f - scale * target) / paper.alpha.sqrt()), case)
    weight = paper.beta**2 / (paper.alpha * (1 - paper.alpha_bar))
    same(case.loss(unmollified(case.f - target), weight), case)


@pytest.mark.parametrize("n", [8, 16, 32])
def test_equation_34_corrected_the_variance_is_the_posterior_s(n: int):
    """With β_t each of n dimensions adds the same number, and on functions it is infinite."""
    process = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.01), noise=NOISE)
    t, s = (torch.tensor([time], dtype=torch.float64) for time in (0.5, 0.4))
    grid = Grid((n,))
    zero = Function(grid, torch.zeros(1, n, 1, dtype=torch.float64))
    exact, model = process.posterior(zero, zero, t, s), process.transition(zero, s, t)
    paper = Paper.at(process.schedule, t, s)
    share = paper.beta_tilde / paper.beta
    each = 0.5 * (share - 1 - share.log())
    assert each > 0.01
    close(kl_divergence(exact, model, on=grid), n * each)


@pytest.mark.thorough
@given(st.integers(2, 5), seeds())
def test_equation_3_corrected_the_bound_is_a_sum_of_divergences(n: int, seed: int):
    """For vectors: one term a step, (2σ_t²)⁻¹‖μ̃ − μ‖², and that of the prior, which (3) lacks."""
    process = DiffusionProcess.white(CosineSchedule(), noise=NOISE)
    times = torch.linspace(0.9, 0.1, n + 1, dtype=torch.float64)
    x0 = Function(VECTORS, normal(Generator().manual_seed(seed), VECTORS, channels=3))

    def network(x: Function, t: Tensor) -> Function:
        return Function(x.on, x.values.sin() + t)

    denoiser = as_denoiser(process, network, predict=NoisePrediction())
    g = Generator().manual_seed(seed)
    bound = evidence_bound(denoiser, x0, times=times, generator=g)
    g = Generator().manual_seed(seed)
    for i, (t, s) in enumerate(zip(times[:-1].split(1), times[1:].split(1), strict=True)):
        paper = Paper.at(process.schedule, t, s)
        xi = process.draw_noise(VECTORS, batch=1, channels=3, generator=g, dtype=torch.float64)
        x_t = x0 * paper.alpha_bar.sqrt() + xi * (1 - paper.alpha_bar).sqrt()
        exact = process.posterior(x_t, x0, t, s)
        mu = mean_of_step(denoiser, x_t, paper, "posterior")
        sigma2 = exact.covariance(VECTORS).squeeze()
        close(sigma2, paper.beta_tilde.squeeze() * NOISE.intensity**2)
        term = (exact.mean.values - mu).square().sum((1, 2)) / (2 * sigma2)
        close(bound.diffusion[i], term)
    law, prior = process.marginal(x0, times[:1]), process.marginal(x0 * 0.0, times[:1])
    gauss = [
        torch.distributions.Normal(m.mean.values, m.covariance(VECTORS).sqrt())
        for m in (law, prior)
    ]
    close(bound.prior, torch.distributions.kl_divergence(*gauss).sum((1, 2)))


def test_equation_3_has_no_term_for_the_step_to_the_data():
    """Its posterior has no variance: the sum ends before t = 0, or with a density in its place."""
    process = DiffusionProcess.white(CosineSchedule(), noise=NOISE)
    x0 = Function(VECTORS, torch.ones(1, 1, 2, dtype=torch.float64))
    first, zero = torch.tensor([0.1], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    assert process.posterior(x0, x0, first, zero).covariance(VECTORS).item() == 0.0
    denoiser = as_denoiser(process, lambda x, t: x, predict=NoisePrediction())
    with pytest.raises(NoDensity, match="At t = 0"):
        evidence_bound(denoiser, x0, times=torch.cat([first, zero]), generator=Generator())
