"""On a point functions are vectors, mollifiers the identity, and white noise is standard normal."""

import math

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from inftydiff import (
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.domain import Point
from inftydiff.testing.strategies import seeds

VECTORS = Grid((), Point())


def draw(seed: int, *, batch: int = 3, channels: int = 4, intensity: float = 1.0):
    generator = torch.Generator().manual_seed(seed)
    return WhiteNoise(intensity).draw(Point(), batch=batch, channels=channels, generator=generator)


def vectors(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_its_grid_has_one_point_of_weight_one():
    assert (VECTORS.size, VECTORS.dim, VECTORS.spacing, VECTORS.cell_volume) == (1, 0, (), 1.0)
    assert VECTORS.points.shape == (1, 0)
    assert VECTORS.weights.tolist() == [1.0]
    assert Grid((), Point()) == VECTORS


@given(seed=seeds(), batch=st.lists(st.integers(1, 3), max_size=2))
def test_inner_products_are_those_of_vectors(seed: int, batch):
    x, y = vectors(seed, *batch, 1, 5), vectors(seed + 1, *batch, 1, 5)
    f, g = Function(VECTORS, x), Function(VECTORS, y)
    torch.testing.assert_close(f.inner(g), (x * y).sum((-2, -1)))
    torch.testing.assert_close(f.integral(), x.squeeze(-2))
    assert f.to_image().shape == (*batch, 5)
    assert torch.equal(Function.from_image(f.to_image(), Point()).values, x)
    assert torch.equal(f.restrict(Subset(VECTORS, torch.tensor([0]))).values, x)


@given(seed=seeds(), width=st.floats(1e-3, 100.0))
def test_the_mollifier_is_the_identity(seed: int, width: float):
    f = Function(VECTORS, vectors(seed, 2, 1, 3))
    T = gaussian_mollifier(width)
    torch.testing.assert_close(T(f).values, f.values, rtol=0, atol=0)
    field = draw(seed)
    read = field(VECTORS, dtype=torch.float64).values
    torch.testing.assert_close(T(field)(VECTORS, dtype=torch.float64).values, read)
    scale = torch.tensor([1.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close((scale * T)(f).values, scale[:, None, None] * f.values)


def test_white_noise_is_a_standard_normal_vector():
    values = draw(0, batch=200, channels=500)(VECTORS, dtype=torch.float64).values
    assert values.shape == (200, 1, 500)
    assert stats.kstest(values.flatten().numpy(), "norm").pvalue > 1e-4
    columns = values.squeeze(1)
    correlation = columns.mT @ columns / 200 - torch.eye(500, dtype=torch.float64)
    assert correlation.abs().max() < 6 * math.sqrt(2 / 200)


@given(seed=seeds(), intensity=st.floats(0.1, 3.0))
def test_its_covariance_is_the_intensity_squared(seed: int, intensity: float):
    for operator in (Identity(), gaussian_mollifier(0.1)):
        field = operator(draw(seed, intensity=intensity))
        assert field.covariance(VECTORS).tolist() == [[pytest.approx(intensity**2)]]
        assert field.mode_variances(VECTORS).item() == pytest.approx(intensity**2)
    smooth = gaussian_mollifier(0.1)(draw(seed, intensity=intensity))
    many = Scattered(torch.empty(3, 0), domain=Point())
    expected = torch.full((3, 1), intensity**2, dtype=torch.float64)
    torch.testing.assert_close(smooth.covariance(many, VECTORS), expected)


@given(seed=seeds(), few=st.integers(1, 3), more=st.integers(0, 3))
def test_samples_and_channels_do_not_depend_on_how_many_there_are(seed: int, few: int, more: int):
    small = draw(seed, batch=few, channels=few)(VECTORS).values
    large = draw(seed, batch=few + more, channels=few + more)(VECTORS).values
    assert torch.equal(large[:few, :, :few], small)


@given(seed=seeds())
def test_a_smooth_field_has_the_same_value_at_every_copy_of_the_point(seed: int):
    field = gaussian_mollifier(0.3)(draw(seed))
    copies = Scattered(torch.empty(5, 0), domain=Point())
    values = field(copies, dtype=torch.float64).values
    expected = field(VECTORS, dtype=torch.float64).values.expand(-1, 5, -1)
    torch.testing.assert_close(values, expected)


def test_gaussian_measures_on_vectors():
    mean = Function(VECTORS, vectors(0, 1, 2))
    measure = GaussianMeasure(mean, 2.0 * gaussian_mollifier(0.2), WhiteNoise(0.5))
    assert measure.covariance(VECTORS).tolist() == [[1.0]]
    samples = measure.sample(
        VECTORS, batch=4_000, channels=2, generator=torch.Generator().manual_seed(0)
    ).values
    assert ((samples.mean(0) - mean.values).abs() < 5 / math.sqrt(4_000)).all()
    assert (samples.var(0) - 1).abs().max() < 5 * math.sqrt(2 / 4_000)


def test_white_noise_anywhere_but_on_its_grid(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    copies = Scattered(torch.empty(2, 0), domain=Point())
    with pytest.raises(ValueError, match=r"no values off a lattice; got Scattered\(2 points\)"):
        draw(0)(copies)
    with pytest.raises(ValueError, match="no values off a lattice"):
        draw(0).covariance(VECTORS, copies)
    with pytest.raises(ValueError, match=r"drawn on Point\(\); it cannot be read on Box"):
        draw(0)(Grid((4,)))
