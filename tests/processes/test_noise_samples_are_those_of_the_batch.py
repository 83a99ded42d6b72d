"""Some samples of a field are those of the whole, wherever they are read, whatever acts first."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import Grid, Scattered, WhiteNoise, gaussian_mollifier
from inftydiff.processes import RandomField

GRID = Grid((5, 4))
POINTS = Scattered(torch.rand(7, 2, generator=torch.Generator().manual_seed(0)).double())
T = gaussian_mollifier(0.2)


def field(seed: int, batch: int) -> RandomField:
    generator = torch.Generator().manual_seed(seed)
    return WhiteNoise(0.7).draw(GRID.domain, batch=batch, channels=2, generator=generator)


@given(data=st.data(), batch=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_a_part_is_read_as_in_the_whole(data, batch: int, seed: int):
    first = data.draw(st.integers(0, batch - 1))
    count = data.draw(st.integers(1, batch - first))
    white = field(seed, batch)
    part = white.samples(first, count)
    assert part.batch == count
    kept = slice(first, first + count)
    for whole, some, on in (
        (white, part, GRID),
        (T(white), T(part), GRID),
        (T(white), T(white).samples(first, count), GRID),
        (T(white) * 2.0 + T(T(white)), (T(part) * 2.0 + T(T(part))), POINTS),
    ):
        expected = whole(on, dtype=torch.float64).values[kept]
        assert torch.equal(some(on, dtype=torch.float64).values, expected)


@given(seed=st.integers(0, 2**31))
def test_a_part_of_a_part(seed: int):
    white = field(seed, 6)
    a, b = white.samples(1, 5).samples(2, 2), white.samples(3, 2)
    assert torch.equal(a(GRID).values, b(GRID).values)
    assert torch.equal((T(a) + T(b))(GRID).values, (T(b) * 2.0)(GRID).values)


def test_the_covariance_is_that_of_the_whole():
    white = T(field(0, 4))
    assert torch.equal(white.samples(2, 1).covariance(GRID), white.covariance(GRID))


def test_different_parts_are_different_draws():
    white = field(0, 4)
    with pytest.raises(ValueError, match="Only images of one draw"):
        white.samples(0, 2) + white.samples(2, 2)


@pytest.mark.parametrize(("first", "count"), [(0, 5), (3, 2), (-1, 1), (4, 1)])
def test_samples_that_are_not_there_are_refused(first: int, count: int):
    with pytest.raises(ValueError, match=r"4 samples; asked for \d|first sample must be"):
        field(0, 4).samples(first, count)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="A number of samples"):
        field(0, 4).samples(0, 0)


def test_an_operator_with_one_scale_a_sample_goes_after():
    scaled = field(0, 4) * torch.tensor([1.0, 2.0, 3.0, 4.0])
    with pytest.raises(ValueError, match="one scale a sample; take the samples of the white noise"):
        scaled.samples(0, 2)
