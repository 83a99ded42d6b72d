r"""White noise and its linear images: random functions drawn once and read anywhere.

White noise of intensity :math:`\tau` on a domain is :math:`\xi = \tau\sum_k \xi_k\varphi_k` with
independent standard normals :math:`\xi_k` and the domain's orthonormal eigenbasis
:math:`\varphi_k`. It has no point values, only projections; over a cell of volume :math:`h` its
average has the variance :math:`\tau^2/h`. A decaying multiplier makes it a function:
:math:`T\xi = \tau\sum_k m(\lambda_k)\xi_k\varphi_k` has point values, which a grid reads with all
their modes, those above the grid's folded in.

For the heat multiplier of width :math:`s` in :math:`d` dimensions, far from the sides,
:math:`\mathrm{Var}(T\xi)(x) = \tau^2/(4\pi s^2)^{d/2}`. At distance :math:`r` from a reflecting
side it is :math:`1 + e^{-(r/s)^2}` times as much, at an absorbing side :math:`1 - e^{-(r/s)^2}`
times; along a periodic axis it is constant. On a ``Point()`` white noise is a vector of independent
normals of variance :math:`\tau^2`.
"""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch

from inftydiff._components import component, declare
from inftydiff._typing import Real, generator_for, positive
from inftydiff.operators.domain import Domain
from inftydiff.operators.linear import Field
from inftydiff.processes._checks import STRONGEST, a_domain, channel_count, samples
from inftydiff.processes.random_field import RandomField

__all__ = ["Noise", "WhiteNoise"]


@runtime_checkable
class Noise(Protocol):
    """A source of random fields: ``WhiteNoise``, or a class of one's own."""

    @property
    def intensity(self) -> Real:
        r"""The amplitude :math:`\tau`, in units of value × volume^½."""

    def draw(
        self, domain: Domain, *, batch: int, channels: int, generator: torch.Generator
    ) -> Field:
        """Draw a batch of fields, taking one seed from the generator whatever the batch."""


declare("noise", Noise)


@component("noise", "white")
@final
@dataclass(frozen=True)
class WhiteNoise:
    r"""Gaussian white noise of a given intensity.

    Args:
        intensity: the amplitude :math:`\tau`, in units of value × volume^½: a cell average has the
            variance :math:`\tau^2` / cell volume. ``intensity = √(cell volume)`` of a reference
            grid makes unit noise in each of its cells.

    Raises:
        ValueError: if the intensity is not a finite number above zero.

    Example:
        >>> from inftydiff import Box, Grid
        >>> g = torch.Generator().manual_seed(0)
        >>> xi = WhiteNoise(intensity=1 / 8).draw(Box((1.0, 1.0)), batch=2, channels=3, generator=g)
        >>> tuple(xi(Grid((8, 8))).values.shape)
        (2, 64, 3)
    """

    intensity: Real = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "intensity", positive(self.intensity, "A noise's intensity", most=STRONGEST)
        )

    def draw(
        self, domain: Domain, *, batch: int, channels: int, generator: torch.Generator
    ) -> RandomField:
        """Draw a batch of white noises, to be filtered and read later.

        Takes one 63-bit seed from the generator, whatever the batch: a batch of four is the first
        half of a batch of eight.

        Args:
            domain: where the noise lives.
            batch: the number of independent samples.
            channels: the number of independent channels.
            generator: the source of the seed.
        """
        a_domain(domain)
        samples(batch, "A noise's batch")
        channel_count(channels)
        generator_for(generator, "A noise")
        seed = torch.randint(0, 2**63 - 1, (), generator=generator, device=generator.device)
        return RandomField(
            seed=int(seed),
            domain=domain,
            batch=batch,
            channels=channels,
            intensity=self.intensity,
        )
