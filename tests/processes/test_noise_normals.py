"""The counter-based normals are independent and standard, each a function of its place alone."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from inftydiff.processes._normals import normals
from inftydiff.testing.strategies import seeds

SEEDS = [0, 1, 2, 12345, 2**62, 2**63 - 1]
N = 200_000


def line(seed: int, batch: int = 1, channels: int = 1, counts=(N,)) -> torch.Tensor:
    return normals(seed, batch=batch, channels=channels, counts=counts)


def correlation(x: torch.Tensor, y: torch.Tensor) -> float:
    """How many standard deviations the correlation of two rows is from zero."""
    return (x * y).mean().item() * math.sqrt(x.numel())


@pytest.mark.parametrize("seed", SEEDS)
def test_they_pass_the_kolmogorov_smirnov_test(seed: int):
    values = line(seed)
    assert values.dtype == torch.float64
    assert stats.kstest(values.flatten().numpy(), "norm").pvalue > 1e-4
    assert len(values.unique()) == N


@pytest.mark.parametrize("seed", SEEDS)
def test_their_first_moments_are_the_normal_s(seed: int):
    values = line(seed)
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs(values.pow(power).mean() - moment) < 5 * math.sqrt(variance / N)


@pytest.mark.parametrize("seed", SEEDS)
def test_extremes_are_neither_cut_nor_infinite(seed: int):
    largest = line(seed).abs().max()
    assert 4.0 < largest < 7.0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("lag", [1, 2, 3, 4, 7, 64, 1024])
def test_neighbouring_modes_are_uncorrelated(seed: int, lag: int):
    values = line(seed).flatten()
    assert abs(correlation(values[lag:], values[:-lag])) < 5
    squares = (values**2 - 1) / math.sqrt(2)
    assert abs(correlation(squares[lag:], squares[:-lag])) < 5


@pytest.mark.parametrize("lag", [(1, 0), (0, 1), (1, 1), (1, -1), (3, 2)])
def test_neighbouring_modes_in_two_dimensions_are_uncorrelated(lag):
    values = line(7, counts=(512, 400))[0, 0]
    shifted = values.roll(lag, dims=(0, 1))
    assert abs(correlation(values, shifted)) < 5
    assert abs(correlation(values, values.new_tensor(1.0) * shifted**2 - 1)) < 5 * math.sqrt(2)


def test_the_two_axes_are_not_interchangeable():
    values = line(7, counts=(300, 300))[0, 0]
    off = ~torch.eye(300, dtype=torch.bool)
    assert abs(correlation(values[off], values.T[off])) < 5 * math.sqrt(2)


def test_samples_channels_and_seeds_are_uncorrelated():
    values = [line(seed, batch=3, channels=3).flatten(0, 1) for seed in (0, 1, 2, 2**40)]
    rows = torch.cat(values)
    matrix = rows @ rows.T / math.sqrt(N)
    off = ~torch.eye(len(rows), dtype=torch.bool)
    assert matrix[off].abs().max() < 5
    for lag in (1, 2):
        shifted = rows[:, lag:] @ rows[:, :-lag].T / math.sqrt(N - lag)
        assert shifted.abs().max() < 5.5


def test_a_mode_over_many_samples_channels_or_seeds_is_normal():
    by_sample = line(3, batch=4_000, counts=(2,))[:, 0]
    by_channel = line(3, channels=20_000, counts=(2,))[0]
    by_seed = torch.cat([line(seed, counts=(2,))[0] for seed in range(1_500)])
    for values in (by_sample, by_channel, by_seed):
        for mode in values.T:
            assert stats.kstest(mode.numpy(), "norm").pvalue > 1e-4
        assert abs(correlation(values[:, 0], values[:, 1])) < 5
        assert abs(correlation(values[1:, 0], values[:-1, 0])) < 5


@given(seed=seeds(), dim=st.integers(1, 3), data=st.data())
def test_each_is_a_function_of_its_place(seed: int, dim: int, data):
    counts = [data.draw(st.integers(1, 6)) for _ in range(dim)]
    more = [n + data.draw(st.integers(0, 5)) for n in counts]
    few = line(seed, batch=2, channels=2, counts=counts)
    many = line(seed, batch=3, channels=4, counts=more)
    part = (slice(2), slice(2), *(slice(n) for n in counts))
    assert torch.equal(many[part], few)


def splitmix(state: int, index: int) -> int:
    """Output number ``index`` of SplitMix64 from a state, in Python's own integers."""
    z = (state + (index + 1) * 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_the_reference_is_splitmix():
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [splitmix(1234567, index) for index in range(3)] == published


@given(
    seed=st.integers(0, 2**63 - 1),
    sample=st.integers(0, 2),
    channel=st.integers(0, 2),
    modes=st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
def test_they_are_splitmix_through_the_inverse_error_function(seed, sample, channel, modes):
    key = splitmix(splitmix(splitmix(0, seed), sample), channel)
    bits = splitmix(key, modes[0] + (modes[1] + 1) * 2**31)
    signed = bits - 2**64 if bits >= 2**63 else bits
    expected = math.sqrt(2) * special.erfinv((signed // 2**11 + 0.5) / 2**52)
    found = line(seed, batch=sample + 1, channels=channel + 1, counts=(41, 41))
    assert found[(sample, channel, *modes)].item() == pytest.approx(expected, rel=1e-12)


def test_more_modes_than_counters_are_refused():
    with pytest.raises(ValueError, match=r"At most 2\^21 modes an axis in 3 dimensions"):
        line(0, counts=(2**21 + 1, 1, 1))
