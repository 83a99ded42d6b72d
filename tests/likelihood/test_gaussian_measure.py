"""A Gaussian measure's samples are its mean plus its factor's image of noise."""

import pytest
import torch
from hypothesis import given

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.testing.strategies import seeds

GRID = Grid((5, 4))
T = gaussian_mollifier(0.2)
NOISE = WhiteNoise(0.4)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mean(*batch: int, channels: int = 3, dtype: torch.dtype = torch.float64) -> Function:
    shape = (*batch, GRID.size, channels)
    return Function(
        GRID, torch.randn(*shape, generator=generator(99), dtype=torch.float64).to(dtype)
    )


@pytest.mark.parametrize("batch", [(), (1,), (4,)])
@given(seed=seeds())
def test_a_sample_is_the_mean_plus_a_draw(batch: tuple[int, ...], seed: int):
    m = mean(*batch)
    sample = GaussianMeasure(m, T, NOISE).sample(
        GRID, batch=4, channels=3, generator=generator(seed)
    )
    field = T(NOISE.draw(GRID.domain, batch=4, channels=3, generator=generator(seed)))
    drawn = field(GRID, dtype=torch.float64).values
    torch.testing.assert_close(sample.values, m.values + drawn, rtol=0, atol=1e-12)
    assert sample.batch == (4,)


@given(seed=seeds())
def test_on_a_subset_it_is_the_restricted_sample(seed: int):
    measure = GaussianMeasure(mean(4), T, NOISE)
    subset = Subset(GRID, torch.rand(4, GRID.size, generator=generator(seed)).argsort(-1)[:, :6])
    sizes = {"batch": 4, "channels": 3}
    whole = measure.sample(GRID, generator=generator(seed), **sizes)
    part = measure.sample(subset, generator=generator(seed), **sizes)
    torch.testing.assert_close(part.values, whole.restrict(subset).values)


@given(seed=seeds())
def test_without_a_mean_it_is_sampled_anywhere(seed: int):
    measure = GaussianMeasure(None, T, NOISE)
    sizes = {"batch": 2, "channels": 1}
    whole = measure.sample(GRID, generator=generator(seed), **sizes).values
    there = Scattered(GRID.points)
    torch.testing.assert_close(
        measure.sample(there, generator=generator(seed), **sizes).values, whole
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_have_the_dtype_of_the_mean(dtype: torch.dtype):
    measure = GaussianMeasure(mean(2, dtype=dtype), T, NOISE)
    sample = measure.sample(GRID, batch=2, channels=3, generator=generator(0))
    assert sample.values.dtype == dtype
    assert measure.covariance(GRID).dtype == torch.float64


def test_a_measure_without_noise_is_its_mean():
    process = DiffusionProcess.mollified(CosineSchedule(), T, noise=NOISE)
    start = torch.zeros(2)
    law = process.marginal(mean(2), start)
    sample = law.sample(GRID, batch=2, channels=3, generator=generator(0))
    torch.testing.assert_close(sample.values, T(mean(2)).values)
    assert not law.covariance(GRID).any()


@pytest.mark.parametrize(
    ("batch", "channels"), [(3, 3), (2, 1), (2, 4)], ids=["batch", "fewer", "more"]
)
def test_other_sizes_than_the_mean_s_are_refused(batch: int, channels: int):
    measure = GaussianMeasure(mean(2), T, NOISE)
    with pytest.raises(ValueError, match=r"batch \(2,\) and 3 channels; asked for"):
        measure.sample(GRID, batch=batch, channels=channels, generator=generator(0))


@pytest.mark.parametrize(
    "on", [Grid((3, 3)), Scattered(GRID.points), Subset(Grid((4, 5)), torch.arange(3))]
)
def test_other_places_than_the_mean_s_are_refused(on):
    measure = GaussianMeasure(mean(2), T, NOISE)
    with pytest.raises(ValueError, match=r"discretisation|its own grid"):
        measure.sample(on, batch=2, channels=3, generator=generator(0))
