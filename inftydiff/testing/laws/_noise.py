"""Laws of white noise: independent cells of variance intensity² / cell volume, drawn once.

A draw takes one seed from its generator whatever its batch, so that a small batch is the first part
of a large one; each coefficient is a function of seed, sample, channel and mode, so that the low
modes of one draw are the same on every grid.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from inftydiff.operators import Function, Grid
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes.noise import Noise
from inftydiff.testing.laws._purity import random_state_untouched
from inftydiff.testing.laws._statistics import covariance_of_draws
from inftydiff.testing.laws.law import Check, Claim, equal, same, true
from inftydiff.testing.probe import Probe

__all__ = ["NOISE_LAWS", "Noise"]

DRAWS = 512
"""The number of draws in a round of the Monte Carlo law."""


def one_seed_a_draw(noise: Noise, probe: Probe) -> Iterator[Claim]:
    """A draw takes the same from its generator whatever the batch and the channels."""
    states = []
    for batch, channels in ((1, 1), (5, 1), (2, 7)):
        generator = probe.generator()
        noise.draw(probe.domain, batch=batch, channels=channels, generator=generator)
        states.append(generator.get_state())
    for state in states[1:]:
        yield equal("the generator after a large draw = after a small one", state, states[0])


def batch_prefix(noise: Noise, probe: Probe) -> Iterator[Claim]:
    """The first samples of a large batch are the small batch."""
    few = _read(noise, probe, probe.grid, batch=2)
    many = _read(noise, probe, probe.grid, batch=5)
    yield equal("(batch of 5)[:2] = batch of 2", many.values[:2], few.values, tolerance=1e-12)


def channel_prefix(noise: Noise, probe: Probe) -> Iterator[Claim]:
    """The first channels of many are the few."""
    few = _read(noise, probe, probe.grid, channels=1)
    many = _read(noise, probe, probe.grid, channels=4)
    yield equal(
        "(4 channels)[..., :1] = 1 channel", many.values[..., :1], few.values, tolerance=1e-12
    )


def cell_variance(noise: Noise, probe: Probe) -> Iterator[Claim]:
    """On any grid the cells are uncorrelated, of variance intensity² / cell volume."""
    for factor in (1, 2):
        grid = Grid(tuple(factor * n for n in probe.grid.shape), probe.domain)
        field = noise.draw(probe.domain, batch=1, channels=1, generator=probe.generator())
        variance = noise.intensity**2 / grid.cell_volume
        yield equal(
            f"the covariance on {grid.size} cells = intensity² / cell volume × identity",
            field.covariance(grid),
            variance * torch.eye(grid.size, dtype=torch.float64),
            tolerance=1e-9,
        )


def draws_have_the_covariance(noise: Noise, probe: Probe) -> Iterator[Claim]:
    """The empirical covariance of draws is that of cells of variance intensity² / cell volume."""
    generator = probe.generator()

    def draw(number: int) -> Tensor:
        field = noise.draw(probe.domain, batch=DRAWS // 2, channels=2, generator=generator)
        return field(probe.grid, dtype=torch.float64).values.movedim(-1, 0).flatten(0, 1)

    variance = noise.intensity**2 / probe.grid.cell_volume
    yield covariance_of_draws(draw, variance * torch.eye(probe.grid.size, dtype=torch.float64))


def low_modes_agree(noise: Noise, probe: Probe) -> Iterator[Claim]:
    """One draw has the same low modes on every grid."""
    coarse = probe.grid
    fine = Grid(tuple(2 * n + 1 for n in coarse.shape), probe.domain)
    low = _modes(_read(noise, probe, fine))
    for axis, n in enumerate(coarse.shape):
        low = low.narrow(axis - coarse.dim, 0, n)
    yield equal(
        "the modes read on a grid = the low modes read on a finer one",
        _modes(_read(noise, probe, coarse)),
        low,
        tolerance=1e-9,
    )


def reproducible(noise: Noise, probe: Probe) -> Iterator[Claim]:
    """The generator's state decides the draw, and a draw does not change by being read."""
    generator = probe.generator()
    sizes = {"batch": probe.batch, "channels": probe.channels}
    field = noise.draw(probe.domain, generator=generator, **sizes)
    first = field(probe.grid, dtype=torch.float64)
    yield same("a field read again = read before", field(probe.grid, dtype=torch.float64), first)
    yield same("a draw from the same state = the draw", _read(noise, probe, probe.grid), first)
    second = noise.draw(probe.domain, generator=generator, **sizes)(probe.grid, dtype=torch.float64)
    differs = not bool((second.values == first.values).any())
    yield true("the next draw differs from the draw", differs, "equal values", "none")


def no_global_randomness(noise: Noise, probe: Probe) -> Iterator[Claim]:
    """Drawing and reading leave the global random state alone."""
    yield from random_state_untouched(lambda: _read(noise, probe, probe.grid))


def _read(
    noise: Noise, probe: Probe, on: Grid, *, batch: int | None = None, channels: int | None = None
) -> Function:
    field = noise.draw(
        on.domain,
        batch=probe.batch if batch is None else batch,
        channels=probe.channels if channels is None else channels,
        generator=probe.generator(),
    )
    return field(on, dtype=torch.float64)


def _modes(f: Function) -> Tensor:
    grid = f.on
    assert isinstance(grid, Grid)
    return eigenbasis(grid.domain).analysis(f.to_image()) * grid.cell_volume**0.5


NOISE_LAWS: tuple[Check, ...] = (
    one_seed_a_draw,
    batch_prefix,
    channel_prefix,
    cell_variance,
    draws_have_the_covariance,
    low_modes_agree,
    reproducible,
    no_global_randomness,
)
