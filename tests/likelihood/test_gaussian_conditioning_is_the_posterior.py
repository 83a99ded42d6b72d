"""Conditioning on noisy point values gives the Gaussian process posterior of the textbooks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from inftydiff import (
    Box,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.covariance import matern, squared_exponential
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.processes.conditioning import ConditionedMeasure
from inftydiff.testing.strategies import boxes, seeds

T = gaussian_mollifier(0.15)
LINE = Box((1.0,), "periodic")


def rand(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cloud(box: Box, size: int, seed: int) -> Scattered:
    sides = torch.tensor(box.lengths, dtype=torch.float64)
    return Scattered(rand(seed, size, box.dim) * sides, domain=box)


def joint(prior: GaussianMeasure, seen: Scattered, there: Scattered) -> np.ndarray:
    """The prior covariance of the observed values followed by the wanted ones."""
    points = torch.cat([seen.points, there.points])
    return prior.covariance(Scattered(points, domain=seen.domain)).numpy()


def dense(joint: np.ndarray, y: np.ndarray, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian conditioning by block elimination of the joint precision matrix."""
    m, size = len(y), len(joint)
    total = joint.copy()
    total[:m, :m] += noise**2 * np.eye(m)
    gain = np.linalg.solve(total[:m, :m], total[:m, m:]).T
    return gain @ y, joint[m:, m:] - gain @ joint[:m, m:][:, : size - m]


@given(
    box=boxes(boundaries=BOUNDARIES),
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 5)),
    noise=st.floats(0.05, 2.0),
    seed=seeds(),
)
def test_mean_and_covariance_are_those_of_dense_conditioning(box, sizes, noise, seed):
    prior = GaussianMeasure(None, T, WhiteNoise(0.7))
    seen, there = cloud(box, sizes[0], seed), cloud(box, sizes[1], seed + 1)
    y = rand(seed + 2, seen.size, 3)
    posterior = prior.condition(Function(seen, y), noise_std=noise)
    mean, covariance = dense(joint(prior, seen, there), y.numpy(), noise)
    np.testing.assert_allclose(posterior.mean_on(there).values, mean, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(posterior.covariance(there), covariance, rtol=1e-9, atol=1e-10)
    cross = posterior.covariance(there, seen)
    both = posterior.covariance(Scattered(torch.cat([there.points, seen.points]), domain=box))
    torch.testing.assert_close(cross, both[: there.size, there.size :], rtol=0, atol=1e-10)


def test_it_is_the_textbook_s_with_its_kernel():
    """No covariance of ours: the kernel is the formula, summed over the periodic images."""
    length, noise = 0.08, 0.1
    seen, there = cloud(LINE, 6, 0), cloud(LINE, 4, 1)
    y = rand(2, 6, 1)

    def kernel(a: Scattered, b: Scattered) -> np.ndarray:
        x, z = a.points.numpy()[:, 0], b.points.numpy()[:, 0]
        images = x[:, None, None] - z[None, :, None] + np.arange(-2, 3)
        return 4.0 * np.exp(-0.5 * (images / length) ** 2).sum(-1)

    prior = GaussianMeasure(None, squared_exponential(length, dim=1, std=2.0), WhiteNoise())
    posterior = prior.condition(Function(seen, y), noise_std=noise)
    K = kernel(seen, seen) + noise**2 * np.eye(6)
    gain = kernel(there, seen) @ np.linalg.inv(K)
    np.testing.assert_allclose(posterior.mean_on(there).values, gain @ y.numpy(), atol=1e-8)
    expected = kernel(there, there) - gain @ kernel(seen, there)
    np.testing.assert_allclose(posterior.covariance(there), expected, atol=1e-8)


def test_without_noise_it_interpolates():
    seen = cloud(LINE, 5, 3)
    prior = GaussianMeasure(None, matern(1.5, 0.2, dim=1), WhiteNoise())
    y = Function(seen, rand(4, 5, 2))
    posterior = prior.condition(y, noise_std=0.0)
    torch.testing.assert_close(posterior.mean_on(seen).values, y.values, rtol=0, atol=1e-9)
    assert posterior.covariance(seen).abs().max() < 1e-9
    drawn = posterior.sample(seen, batch=3, channels=2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.values, y.values.expand(3, -1, -1), rtol=0, atol=1e-8)


def test_a_process_of_white_noise_and_a_vector_of_numbers():
    grid = Grid((6,))
    subset = Subset(grid, torch.tensor([1, 4]))
    prior = GaussianMeasure(None, Identity(), WhiteNoise())  # variance 6 a cell, independent
    posterior = prior.condition(Function(subset, torch.ones(2, 1)), noise_std=math.sqrt(6.0))
    assert posterior.mean_on(grid).values[:, 0].tolist() == pytest.approx([0, 0.5, 0, 0, 0.5, 0])
    expected = torch.tensor([6.0, 3.0, 6.0, 6.0, 3.0, 6.0], dtype=torch.float64)
    torch.testing.assert_close(posterior.covariance(grid), expected.diag(), rtol=0, atol=1e-12)


@given(seed=seeds(), noise=st.sampled_from([0.0, 0.1, 0.5]))
def test_a_sample_corrects_a_draw_of_the_prior(seed: int, noise: float):
    """Matheron's rule with the draw and the errors redone by hand."""
    grid = Grid((7,), LINE)
    mean = Function(grid, rand(9, 7, 2))
    prior = GaussianMeasure(mean, matern(1.5, 0.3, dim=1), WhiteNoise())
    seen = Subset(grid, torch.tensor([0, 3, 5]))
    y = Function(seen, rand(seed, 3, 2))
    generator = torch.Generator().manual_seed(seed)
    sample = prior.condition(y, noise_std=noise).sample(
        grid, batch=2, channels=2, generator=generator
    )
    generator = torch.Generator().manual_seed(seed)
    f = prior.draw(LINE, batch=2, channels=2, generator=generator)(grid, dtype=torch.float64)
    C = prior.covariance(grid).numpy()
    at = seen.index.numpy()
    gain = C[:, at] @ np.linalg.inv(C[np.ix_(at, at)] + noise**2 * np.eye(3))
    drawn = f.values.numpy() + mean.values.numpy()
    gap = np.linalg.lstsq(gain, (sample.values.numpy() - drawn)[0], rcond=None)[0]
    errors = y.values.numpy() - drawn[0, at] - gap
    if noise == 0.0:
        np.testing.assert_allclose(errors, 0.0, atol=1e-8)
    else:
        assert np.abs(errors).max() < 6 * noise
    np.testing.assert_allclose(gain @ gap, (sample.values.numpy() - drawn)[0], atol=1e-8)


def test_samples_have_the_posterior_s_mean_and_covariance():
    prior = GaussianMeasure(None, squared_exponential(0.1, dim=1), WhiteNoise())
    seen, there = (
        cloud(LINE, 4, 5),
        Scattered(torch.linspace(0.0, 0.9, 6).unsqueeze(-1), domain=LINE),
    )
    posterior = prior.condition(Function(seen, rand(6, 4, 1) * 2), noise_std=0.3)
    number = 40_000
    values = posterior.sample(
        there, batch=number, channels=1, generator=torch.Generator().manual_seed(0)
    ).values[..., 0]
    C = posterior.covariance(there)
    gap = (values.mean(0) - posterior.mean_on(there).values[:, 0]).abs()
    assert (gap <= 5 * (C.diagonal() / number).sqrt()).all()
    centred = values - posterior.mean_on(there).values[:, 0]
    error = (centred.mT @ centred / number - C).abs()
    spread = (C.diagonal()[:, None] * C.diagonal() + C.square()) / number
    assert (error <= 5 * spread.sqrt()).all()
    flat = special.stdtrit(1e6, 0.999)
    assert (centred / C.diagonal().sqrt() > flat).double().mean() == pytest.approx(1e-3, abs=4e-4)


def test_one_draw_is_one_function_and_small_batches_begin_large_ones():
    grid = Grid((5,))
    seen = Scattered(torch.tensor([[0.31], [0.62]]))
    posterior = GaussianMeasure(None, T, WhiteNoise()).condition(
        Function(seen, torch.tensor([[1.0], [-1.0]], dtype=torch.float64)), noise_std=0.2
    )

    def draw(on, batch: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(3)
        return posterior.sample(on, batch=batch, channels=1, generator=generator).values

    few = draw(grid, 2)
    torch.testing.assert_close(draw(grid, 5)[:2], few, rtol=0, atol=0)
    torch.testing.assert_close(draw(Grid((15,)), 2)[:, 1::3], few, rtol=0, atol=1e-8)
    torch.testing.assert_close(draw(Scattered(grid.points), 2), few, rtol=0, atol=1e-8)


def test_one_set_of_observations_a_sample():
    box = Box((1.0,))
    points = rand(7, 3, 4, 1)
    y = rand(8, 3, 4, 2)
    prior = GaussianMeasure(None, T, WhiteNoise())
    there = cloud(box, 5, 9)
    together = prior.condition(Function(Scattered(points, domain=box), y), noise_std=0.1)
    sample = together.sample(there, batch=3, channels=2, generator=torch.Generator().manual_seed(0))
    for i in range(3):
        alone = prior.condition(Function(Scattered(points[i], domain=box), y[i]), noise_std=0.1)
        close = {"rtol": 0, "atol": 1e-9}
        mean, covariance = together.mean_on(there).values[i], together.covariance(there)[i]
        torch.testing.assert_close(alone.mean_on(there).values, mean, **close)
        torch.testing.assert_close(alone.covariance(there), covariance, **close)
        one = alone.sample(there, batch=3, channels=2, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(one.values[i], sample.values[i], **close)


def test_it_is_in_the_dtype_of_the_observations():
    seen = Function(Scattered(torch.tensor([[0.3]])), torch.ones(1, 1))
    posterior = GaussianMeasure(None, T, WhiteNoise()).condition(seen, noise_std=0.1)
    assert posterior.mean_on(Grid((4,))).values.dtype == torch.float32
    drawn = posterior.sample(
        Grid((4,)), batch=1, channels=1, generator=torch.Generator().manual_seed(0)
    )
    assert drawn.values.dtype == torch.float32
    assert posterior.covariance(Grid((4,))).dtype == torch.float64


def test_conditioning_in_two_steps_is_conditioning_once():
    """What is seen first can be the mean of what is seen next, in the dense formulas."""
    prior = GaussianMeasure(None, T, WhiteNoise())
    first, second, there = cloud(LINE, 3, 10), cloud(LINE, 2, 11), cloud(LINE, 4, 12)
    y = rand(13, 5, 1)
    both = Scattered(torch.cat([first.points, second.points]), domain=LINE)
    once = prior.condition(Function(both, y), noise_std=0.2)
    step = prior.condition(Function(first, y[:3]), noise_std=0.2)
    K = step.covariance(second) + 0.04 * torch.eye(2, dtype=torch.float64)
    gain = torch.linalg.solve(K, step.covariance(second, there)).mT
    mean = step.mean_on(there).values + gain @ (y[3:] - step.mean_on(second).values)
    torch.testing.assert_close(once.mean_on(there).values, mean, rtol=0, atol=1e-10)


@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_a_deviation_that_is_none_is_refused(noise: float):
    seen = Function(Scattered(torch.tensor([[0.3]])), torch.ones(1, 1))
    with pytest.raises(ValueError, match="finite number of at least 0"):
        GaussianMeasure(None, T, WhiteNoise()).condition(seen, noise_std=noise)


def test_coincident_points_without_noise_are_refused():
    seen = Function(Scattered(torch.tensor([[0.3], [0.3], [0.6]])), torch.ones(3, 1))
    prior = GaussianMeasure(None, T, WhiteNoise())
    with pytest.raises(ValueError, match=r"some coincide.*noise_std=0; pass a larger"):
        prior.condition(seen, noise_std=0.0)
    assert prior.condition(seen, noise_std=0.1).mean_on(Grid((3,))).values.isfinite().all()


def test_more_points_than_so_smooth_a_function_can_vary_at_are_refused():
    seen = Function(Grid((200,)), torch.ones(200, 1))
    with pytest.raises(ValueError, match="closer together than so smooth"):
        GaussianMeasure(None, T, WhiteNoise()).condition(seen, noise_std=0.0)


def test_what_cannot_be_observed_is_refused():
    prior = GaussianMeasure(None, Identity(), WhiteNoise())
    seen = Function(Scattered(torch.tensor([[0.3]])), torch.ones(1, 1))
    with pytest.raises(ValueError, match="no values off a lattice"):
        prior.condition(seen, noise_std=0.1)
    smooth = GaussianMeasure(None, T, WhiteNoise())
    with pytest.raises(ValueError, match="finite"):
        smooth.condition(Function(seen.on, torch.full((1, 1), math.nan)), noise_std=0.1)
    with pytest.raises(ValueError, match=r"at most one batch axis; got the batch \(2, 2\)"):
        smooth.condition(Function(seen.on, torch.ones(2, 2, 1, 1)), noise_std=0.1)
    elsewhere = GaussianMeasure(Function(Grid((4,)), torch.zeros(4, 1)), T, WhiteNoise())
    with pytest.raises(ValueError, match="another discretisation"):
        elsewhere.condition(seen, noise_std=0.1)
    with pytest.raises(ValueError, match="mean has 1 channels, the observations have 2"):
        elsewhere.condition(Function(Grid((4,)), torch.ones(4, 2)), noise_std=0.1)


@pytest.mark.parametrize(("batch", "channels"), [(3, 1), (2, 2)])
def test_other_sizes_than_the_observations_are_refused(batch: int, channels: int):
    seen = Function(Scattered(torch.tensor([[0.3]])), torch.ones(2, 1, 1))
    posterior = GaussianMeasure(None, T, WhiteNoise()).condition(seen, noise_std=0.1)
    assert isinstance(posterior, ConditionedMeasure)
    with pytest.raises(ValueError, match=r"batch \(2,\) and 1 channels; asked for"):
        posterior.sample(
            Grid((3,)), batch=batch, channels=channels, generator=torch.Generator().manual_seed(0)
        )
