"""What laws are made from refuses wrong kinds in words: probes, and parts of oracles."""

from collections.abc import Iterator

import jaxtyping
import numpy as np
import pytest
import torch

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Point,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.models import MultiscaleNetwork, tiny
from inftydiff.testing import GaussianDenoiser, Probe
from inftydiff.testing.probe import MOST_SEED

PROBE = Probe(Grid((4, 4)), 2, 3, torch.float64, seed=0)


@pytest.fixture(autouse=True, scope="module")
def _unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("key", [0.0, np.int64(0)])
def test_a_key_is_any_whole_number(key):
    assert torch.equal(PROBE.normal(2, key=key), PROBE.normal(2, key=0))


@pytest.mark.parametrize(
    ("key", "error"), [(0.5, ValueError), (1000, ValueError), (-1, ValueError), ("0", TypeError)]
)
def test_keys(key, error):
    with pytest.raises(error, match="A key must be a whole number"):
        PROBE.generator(key)


def test_seeds_whose_functions_have_seeds_of_their_own():
    last = Probe(Grid((4,)), 1, 1, torch.float64, seed=MOST_SEED)
    assert last.normal(2, key=999).isfinite().all()
    with pytest.raises(ValueError, match="A probe's seed must be a whole number of at most"):
        Probe(Grid((4,)), 1, 1, torch.float64, seed=MOST_SEED + 1)


def test_sizes():
    with pytest.raises(ValueError, match="A size must be a whole number of at least 0; got -1"):
        PROBE.normal(-1, 3)
    with pytest.raises(TypeError, match="A size must be a whole number"):
        PROBE.normal((2, 3))


def test_places():
    for on in (Point(), Box((1.0, 1.0)), 3):
        with pytest.raises(TypeError, match=r"The points, on, must be"):
            PROBE.function(on=on)
        with pytest.raises(TypeError, match=r"The points, on, must be a Grid"):
            PROBE.smooth(on)
    with pytest.raises(TypeError, match=r"The points, on, must be a Grid"):
        PROBE.smooth(Scattered(torch.rand(3, 2)))
    with pytest.raises(TypeError, match="What is drawn alike must be a Function"):
        PROBE.like(1.5)
    with pytest.raises(ValueError, match="The number of waves must be"):
        PROBE.smooth(PROBE.grid, waves=0)


def test_times():
    with pytest.raises(ValueError, match=r"The lowest time must be a number in \[0, 1\]; got inf"):
        PROBE.times(low=float("inf"))
    with pytest.raises(TypeError, match=r"The highest time must be a number in \[0, 1\]"):
        PROBE.times(high=[])


def test_floors_of_densities():
    law = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
    oracle = GaussianDenoiser(DiffusionProcess.white(CosineSchedule()), law)
    state, t = Function(Grid((4,)), torch.ones(2, 4, 1)), torch.full((2,), 0.5)
    for floor in ((), torch.ones(2, dtype=torch.int64)):
        with pytest.raises(TypeError, match="The floor of the variances must be"):
            oracle.log_density_above(state, t, floor)
    with pytest.raises(ValueError, match=r"The floor of the variances must have the shape \(2,\)"):
        oracle.log_density_above(state, t, torch.ones(2, 2))


def test_what_a_network_checks():
    network = MultiscaleNetwork(tiny(), 3)
    with pytest.raises(TypeError, match="What a network reads must be a Function"):
        network.check(PROBE.on, None, None, None)
