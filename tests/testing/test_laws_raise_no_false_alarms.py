"""The Monte Carlo laws pass what is right and fail what is wrong, whatever the seed."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.testing.laws._statistics import ALARM, ROUNDS, covariance_of_draws
from inftydiff.testing.strategies import seeds

DRAWS = 512


def factor(points: int, rank: int, seed: int) -> torch.Tensor:
    """A root of a covariance, singular if the rank is less than the number of points."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(points, rank, generator=generator, dtype=torch.float64)


def draws_of(root: torch.Tensor, seed: int):
    generator = torch.Generator().manual_seed(seed + 1)

    def draw(number: int) -> torch.Tensor:
        normals = torch.randn(DRAWS, root.shape[1], generator=generator, dtype=torch.float64)
        return normals @ root.mT

    return draw


@given(points=st.integers(1, 12), rank=st.integers(1, 12), seed=seeds())
def test_the_right_covariance_passes(points: int, rank: int, seed: int):
    root = factor(points, rank, seed)
    assert covariance_of_draws(draws_of(root, seed), root @ root.mT).holds


@given(points=st.integers(1, 12), rank=st.integers(1, 12), seed=seeds())
@pytest.mark.parametrize("wrong", [0.4, 0.5, 2.0, 3.0])
def test_a_wrong_covariance_fails(wrong: float, points: int, rank: int, seed: int):
    root = factor(points, rank, seed)
    assert not covariance_of_draws(draws_of(root, seed), wrong * root @ root.mT).holds


def test_it_fails_only_if_every_round_does():
    root = torch.eye(3, dtype=torch.float64)
    right = draws_of(root, seed=0)
    for lucky in range(ROUNDS):
        claim = covariance_of_draws(lambda n, at=lucky: right(n) * (1.0 if n == at else 3.0), root)
        assert claim.holds
    assert not covariance_of_draws(lambda n: right(n) * 3.0, root).holds


def test_the_bound_is_that_of_independent_rounds():
    assert math.isclose(ALARM**ROUNDS, 1e-12)


@pytest.mark.thorough
def test_a_round_is_hardly_ever_failed():
    """Of 1000 rounds none fails, of which each may with a probability of 1e-4."""
    root = factor(4, 4, seed=3)
    covariance = root @ root.mT
    for seed in range(1000):
        draw = draws_of(root, seed)
        rounds = [draw(0), *[1e3 * draw(0)] * (ROUNDS - 1)]
        assert covariance_of_draws(lambda n, rounds=rounds: rounds[n], covariance).holds
