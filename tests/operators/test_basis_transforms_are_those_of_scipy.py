"""The transforms are the orthonormal DCT and DST of type 2 and 3, and the FFT, of scipy."""

import math

import pytest
import scipy.fft
import torch
from functions import boundaries, seeds, values
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import Box
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES

shapes = st.lists(st.integers(1, 9), min_size=1, max_size=3)


def fourier(x: torch.Tensor, axis: int) -> torch.Tensor:
    """The constant, then a sine and a cosine for each wave, along an axis, from scipy's rfft."""
    x = x.movedim(axis, -1)
    n = x.shape[-1]
    k = torch.arange(n // 2 + 1, dtype=torch.float64)
    spectrum = torch.from_numpy(scipy.fft.rfft(x.numpy())) * torch.exp(-1j * math.pi * k / n)
    scale = torch.where((k == 0) | (2 * k == n), 1.0, 2.0).double().div(n).sqrt()
    pairs = torch.stack([-spectrum.imag * scale, spectrum.real * scale], -1).flatten(-2)
    return pairs[..., 1 : n + 1].movedim(-1, axis)


def reference(x: torch.Tensor, boundary: str, axis: int) -> torch.Tensor:
    match boundary:
        case "reflecting":
            return torch.from_numpy(scipy.fft.dct(x.numpy(), type=2, axis=axis, norm="ortho"))
        case "absorbing":
            return torch.from_numpy(scipy.fft.dst(x.numpy(), type=2, axis=axis, norm="ortho"))
        case _:
            return fourier(x, axis)


def inverse(c: torch.Tensor, boundary: str, axis: int) -> torch.Tensor:
    transform = {"reflecting": scipy.fft.dct, "absorbing": scipy.fft.dst}[boundary]
    return torch.from_numpy(transform(c.numpy(), type=3, axis=axis, norm="ortho"))


@given(shape=shapes, names=boundaries, seed=seeds)
def test_analysis_of_any_shape_and_boundaries(shape, names, seed):
    names = names[: len(shape)]
    x = values(seed, 2, *shape)
    expected = x
    for axis, name in enumerate(names):
        expected = reference(expected, name, axis - len(shape))
    found = eigenbasis(Box((1.0,) * len(shape), names)).analysis(x)
    assert_close(found, expected, rtol=0, atol=1e-13)


@given(
    shape=shapes, names=st.tuples(*[st.sampled_from(["reflecting", "absorbing"])] * 3), seed=seeds
)
def test_synthesis_of_any_shape_and_boundaries(shape, names, seed):
    names = names[: len(shape)]
    c = values(seed, 2, *shape)
    expected = c
    for axis, name in enumerate(names):
        expected = inverse(expected, name, axis - len(shape))
    found = eigenbasis(Box((1.0,) * len(shape), names)).synthesis(c)
    assert_close(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("length", [1, 2, 3, 64, 81, 127, 1000, 1021])
def test_long_and_prime_lengths(boundary, length):
    x = values(length, length)
    basis = eigenbasis(Box((0.3,), boundary))
    assert_close(basis.analysis(x), reference(x, boundary, -1), rtol=0, atol=1e-12)
    assert_close(basis.synthesis(basis.analysis(x)), x, rtol=0, atol=1e-12)
