r"""Impulses: a noise whose draws are told apart, to find what a linear recursion makes of each.

A sampler with a linear denoiser gives :math:`x = \sum_i A_i\,N\xi_i`, with one operator
:math:`A_i` for each draw of noise, diagonal in the grid's modes. If the draw :math:`i` is replaced
by the function whose coefficients are the standard deviations of those of :math:`N\xi`, in channel
:math:`i` and zero in the others, then the coefficient of the result in channel :math:`i` has as its
square the variance that the draw contributes.
"""

from dataclasses import dataclass, field, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, Scalar
from inftydiff.operators import Function, Grid
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Discretisation
from inftydiff.operators.domain import Domain
from inftydiff.operators.linear import Field
from inftydiff.operators.multiplier import Multiplier
from inftydiff.processes.noise import Noise

__all__ = ["ImpulseField", "ImpulseNoise"]


@final
@dataclass(frozen=True, eq=False)
class ImpulseField(Field):
    """The standard deviations of a random field's coefficients, in one channel.

    Args:
        field: the random field.
        batch: the number of samples, all alike.
        channels: the number of channels.
        channel: the channel that is not zero; none is, if there is no such channel.
    """

    field: Field
    batch: int
    channels: int
    channel: int

    def __call__(
        self,
        on: Discretisation,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Function:
        """Read the impulse on a grid, with values of shape ``(batch, points, channels)``.

        Raises:
            ValueError: if the points are not a full grid.
        """
        if not isinstance(on, Grid):
            raise ValueError(
                f"An impulse in every mode is a function on a full Grid; got {type(on).__name__}."
            )
        deviations = self.field.mode_variances(on).sqrt()
        values = eigenbasis(on.domain).synthesis(deviations).reshape(-1, on.size)
        values = (values / on.cell_volume**0.5).to(
            device, torch.get_default_dtype() if dtype is None else dtype
        )
        result = values.new_zeros(self.batch, on.size, self.channels)
        if 0 <= self.channel < self.channels:
            result[..., self.channel] = values
        return Function(on, result)

    def covariance(
        self, on: Discretisation, other: Discretisation | None = None
    ) -> Float[Tensor, "*batch points others"]:
        """The covariance of the random field."""
        return self.field.covariance(on, other)

    def mode_variances(self, grid: Grid) -> Float[Tensor, "*batch_shape"]:
        """The variances of the random field's coefficients."""
        return self.field.mode_variances(grid)

    def samples(self, first: int, count: int) -> "ImpulseField":
        """As many impulses: the samples are all alike."""
        return replace(self, batch=count)

    def filtered(self, multiplier: Multiplier) -> "ImpulseField":
        """The impulse of the filtered field."""
        return replace(self, field=self.field.filtered(multiplier))

    def __add__(self, other: "ImpulseField") -> "ImpulseField":
        """The impulse of a sum of images of one draw."""
        return replace(self, field=self.field + other.field)

    def __mul__(self, scalar: Scalar) -> "ImpulseField":
        """The impulse of a multiple."""
        return replace(self, field=self.field * scalar)


@final
@dataclass(frozen=True, eq=False)
class ImpulseNoise:
    """A noise whose draw number ``i`` is an impulse in channel ``i - first``.

    It counts its draws and takes nothing from the generator: one is made for each run.

    Args:
        noise: the noise whose deviations the impulses have.
        first: the draw that is an impulse in channel zero.

    Example:
        >>> from inftydiff import Grid, WhiteNoise
        >>> noise, grid = ImpulseNoise(WhiteNoise(2.0)), Grid((1,))
        >>> g = torch.Generator()
        >>> for _ in range(3):
        ...     noise.draw(grid.domain, batch=1, channels=2, generator=g)(grid).values.tolist()
        [[[2.0, 0.0]]]
        [[[0.0, 2.0]]]
        [[[0.0, 0.0]]]
        >>> noise.drawn
        3
    """

    noise: Noise
    first: int = 0
    _draws: list[None] = field(default_factory=list, init=False, repr=False)

    @property
    def intensity(self) -> Real:
        """The noise's amplitude."""
        return self.noise.intensity

    @property
    def drawn(self) -> int:
        """The number of draws so far."""
        return len(self._draws)

    def draw(
        self, domain: Domain, *, batch: int, channels: int, generator: torch.Generator
    ) -> ImpulseField:
        """The next impulse.

        Args:
            domain: where the noise lives.
            batch: the number of samples, all alike.
            channels: the number of channels.
            generator: not used.
        """
        unit = self.noise.draw(
            domain, batch=1, channels=1, generator=torch.Generator().manual_seed(0)
        )
        channel = self.drawn - self.first
        self._draws.append(None)
        return ImpulseField(unit, batch, channels, channel)
