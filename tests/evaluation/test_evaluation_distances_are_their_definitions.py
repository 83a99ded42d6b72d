"""Both distances equal their definitions, computed by other routes."""

import jaxtyping
import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.evaluation import compare, frechet_distance, kernel_distance
from inftydiff.evaluation.distances import weighted_frechet, weighted_kernel


@pytest.fixture
def unchecked():
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


sizes = st.integers(2, 40)
seeds = st.integers(0, 2**32)


def draw(rows, columns, seed, shift=0.0):
    g = torch.Generator().manual_seed(seed)
    mix = torch.randn(columns, columns, generator=g, dtype=torch.float64)
    return torch.randn(rows, columns, generator=g, dtype=torch.float64) @ mix + shift


def by_matrix_root(a, b):
    """The textbook formula, with a square root of the product of the covariances."""
    a, b = a.numpy(), b.numpy()
    first, second = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    overlap = np.trace(scipy.linalg.sqrtm(first @ second).real)
    between = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return between + np.trace(first) + np.trace(second) - 2 * overlap


@given(rows=st.integers(8, 40), more=st.integers(8, 40), columns=st.integers(1, 6), seed=seeds)
def test_frechet_is_that_of_a_matrix_root(rows, more, columns, seed):
    a, b = draw(rows, columns, seed), draw(more, columns, seed + 1, 0.5)
    assert frechet_distance(a, b) == pytest.approx(by_matrix_root(a, b), rel=1e-6, abs=1e-6)


@given(n=sizes, m=sizes, columns=st.integers(1, 50), seed=seeds)
def test_frechet_with_any_rank_is_that_of_eigenvalues(n, m, columns, seed):
    a, b = draw(n, columns, seed), draw(m, columns, seed + 1)
    first, second = (np.atleast_2d(np.cov(x.numpy().T)) for x in (a, b))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    overlap = np.sqrt(np.linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    between = (a.mean(0) - b.mean(0)).square().sum().item()
    wanted = between + np.trace(first) + np.trace(second) - 2 * overlap
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-5, abs=1e-5)


@given(factor=st.floats(0.1, 5.0), shift=st.floats(-3.0, 3.0), seed=seeds)
def test_frechet_of_a_scaled_and_shifted_set_is_in_closed_form(factor, shift, seed):
    """W₂² of N(μ, C) and its image under x ↦ cx + s: |(c−1)μ + s|² + (c−1)² tr C."""
    a = draw(30, 4, seed)
    mean = (factor - 1) * a.mean(0) + shift
    spread = (factor - 1) ** 2 * a.var(0).sum()
    wanted = (mean.square().sum() + spread).item()
    assert frechet_distance(a, factor * a + shift) == pytest.approx(wanted, rel=1e-9, abs=1e-8)


def test_frechet_does_not_lose_digits_to_a_common_shift():
    a, b = draw(20, 3, 0), draw(20, 3, 1)
    wanted = frechet_distance(a, b)
    assert frechet_distance(a + 1e5, b + 1e5) == pytest.approx(wanted, rel=1e-6)


@given(n=st.integers(2, 9), m=st.integers(2, 9), columns=st.integers(1, 5), seed=seeds)
def test_kernel_is_its_double_sum(n, m, columns, seed):
    a, b = draw(n, columns, seed).numpy(), draw(m, columns, seed + 1, 0.5).numpy()

    def k(x, y):
        return (x @ y / columns + 1) ** 3

    def pairs(x):
        count = len(x)
        return sum(k(x[i], x[j]) for i in range(count) for j in range(count) if i != j) / (
            count * (count - 1)
        )

    wanted = pairs(a) + pairs(b) - 2 * np.mean([[k(x, y) for y in b] for x in a])
    found = kernel_distance(torch.from_numpy(a), torch.from_numpy(b))
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-8)


def test_kernel_in_blocks_is_the_same(monkeypatch):
    a, b = draw(23, 4, 0), draw(17, 4, 1)
    wanted = kernel_distance(a, b)
    monkeypatch.setattr("inftydiff.evaluation.distances.ROWS", 5)
    assert kernel_distance(a, b) == pytest.approx(wanted, rel=1e-12)


@given(seed=seeds)
def test_counts_are_copies(seed):
    """The Fréchet distance sees copies as rows; the kernel distance leaves their pairs out."""
    g = torch.Generator().manual_seed(seed)
    a, b = draw(6, 3, seed), draw(7, 3, seed + 1)
    ones = torch.ones(7, dtype=torch.float64)
    counts = torch.randint(3, (6,), generator=g).double()
    counts[:2] += 1
    copied = a.repeat_interleave(counts.long(), 0)
    found = weighted_frechet(a, b, counts, ones)
    assert found == pytest.approx(frechet_distance(copied, b), rel=1e-9, abs=1e-8)

    owner = torch.arange(6).repeat_interleave(counts.long())
    kernel = (copied @ copied.T / 3 + 1) ** 3
    within = kernel[owner[:, None] != owner].mean()
    across = ((copied @ b.T / 3 + 1) ** 3).mean()
    other = (b @ b.T / 3 + 1) ** 3
    rest = (other.sum() - other.diagonal().sum()) / 42
    found = weighted_kernel(a, b, counts[None], ones[None]).item()
    assert found == pytest.approx((within + rest - 2 * across).item(), rel=1e-9, abs=1e-8)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("first", "second", "match"),
    [
        ((3, 4), (3, 5), "same features; got 4 and 5"),
        ((1, 4), (3, 4), "at least 2 pictures on either side; got 1 and 3"),
    ],
)
def test_sets_that_cannot_be_compared(first, second, match):
    for distance in (frechet_distance, kernel_distance):
        with pytest.raises(ValueError, match=match):
            distance(torch.zeros(first), torch.zeros(second))
    with pytest.raises(ValueError, match="finite"):
        frechet_distance(torch.full((3, 2), torch.nan), torch.zeros(3, 2))


def test_settings_of_intervals(generator):
    x = draw(5, 2, 0)
    with pytest.raises(ValueError, match="at least 2 resamples; got 1"):
        compare(x, x, generator=generator, resamples=1)
    with pytest.raises(ValueError, match="between 0 and 1; got 95"):
        compare(x, x, generator=generator, level=95.0)
