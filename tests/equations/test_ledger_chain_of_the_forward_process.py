"""The forward process is the chain of Gaussian transitions of eq. (1), with Bayes' rule, eq. (4).

States are plain vectors here, and the data of eq. (4) a few atoms, whose laws at all times are
mixtures in closed form.
"""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paper import NOISE, close, log_density
from torch import Generator, Tensor

from inftydiff import CosineSchedule, DiffusionProcess, Function, Grid, LinearSchedule
from inftydiff.operators.domain import Point
from inftydiff.testing.strategies import KnotSchedule, ordered_times, seeds

VECTORS = Grid((), Point())

betas = st.lists(st.floats(0.05, 0.7), min_size=1, max_size=5)


def vectors(g: Generator, batch: int, size: int) -> Tensor:
    return torch.randn(batch, 1, size, generator=g, dtype=torch.float64)


@pytest.mark.thorough
@given(betas, seeds())
def test_equation_1_the_product_of_transitions_is_the_law_of_the_path(chosen, seed: int):
    beta = torch.tensor([0.0, *chosen], dtype=torch.float64)
    alpha_bar = (1 - beta).cumprod(0)
    schedule = KnotSchedule(tuple(alpha_bar.sqrt().tolist()))
    process = DiffusionProcess.white(schedule, noise=NOISE)
    times = torch.linspace(0, 1, len(beta), dtype=torch.float64)
    numbers = process.transition_coefficients(times[:-1], times[1:])
    close(numbers.scale, (1 - beta[1:]).sqrt())
    close(numbers.std, beta[1:].sqrt())

    g = Generator().manual_seed(seed)
    x0 = vectors(g, 1, 3)
    path = [x0, *(vectors(g, 1, 3) for _ in chosen)]
    product = torch.zeros(1, dtype=torch.float64)
    for i, (before, after) in enumerate(itertools.pairwise(path)):
        law = process.transition(Function(VECTORS, before), times[i : i + 1], times[i + 1 : i + 2])
        product += log_density(law, after)

    earlier = torch.minimum(alpha_bar[1:, None], alpha_bar[None, 1:])
    later = torch.maximum(alpha_bar[1:, None], alpha_bar[None, 1:])
    covariance = NOISE.intensity**2 * (earlier / later).sqrt() * (1 - later)
    mean = alpha_bar[1:].sqrt() * x0[0, 0, :, None]
    joint = torch.distributions.MultivariateNormal(mean, covariance)
    values = torch.cat(path[1:], 1)[0].mT
    close(product, joint.log_prob(values).sum(0, keepdim=True))


@given(st.sampled_from([CosineSchedule(), LinearSchedule()]), ordered_times(2), seeds())
def test_equation_4_the_reverse_transition_is_bayes_rule(schedule, times: Tensor, seed: int):
    """Σ_j r_j(x_t) q(x_s | x_t, a_j), against q(x_t | x_s) p(x_s) / p(x_t)."""
    s, t = (0.02 + 0.96 * times).split(1)
    process = DiffusionProcess.white(schedule, noise=NOISE)
    g = Generator().manual_seed(seed)
    atoms = Function(VECTORS, vectors(g, 3, 2))
    weights = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    three = torch.ones(3, dtype=torch.float64)

    def log_p(x: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
        """The density of all data at a time, and what each atom has in it."""
        parts = weights.log() + log_density(process.marginal(atoms, time * three), x)
        return parts.logsumexp(0), parts.softmax(0)

    chosen = atoms.values[:1]
    x_t = process.schedule.alpha(t) * chosen + process.schedule.sigma(t) * vectors(g, 1, 2)
    x_s = process.schedule.alpha(s) * chosen + process.schedule.sigma(s) * vectors(g, 1, 2)
    log_p_t, shares = log_p(x_t, t)
    posterior = process.posterior(
        Function(VECTORS, x_t.expand(3, -1, -1)), atoms, t * three, s * three
    )
    reverse = (shares.log() + log_density(posterior, x_s)).logsumexp(0)
    forward = log_density(process.transition(Function(VECTORS, x_s), s, t), x_t)
    found = forward + log_p(x_s, s)[0] - log_p_t
    torch.testing.assert_close(found, reverse[None], rtol=1e-8, atol=1e-6)
