r"""Domains: where functions live.

A box :math:`\Omega = \prod_i [0, L_i]` with one boundary condition an axis. Every length in the
library (mollifier widths, kernel footprints, cell sizes) is in the units of the box's sides, never
in pixels.
"""

import math
from dataclasses import dataclass
from typing import final

from inftydiff._typing import Real, positive

__all__ = ["BOUNDARIES", "Box", "unit_box"]

BOUNDARIES = ("reflecting",)
"""The boundary conditions that have an eigenbasis here: zero normal derivative (cosine basis)."""


@final
@dataclass(frozen=True)
class Box:
    r"""A box :math:`\prod_i [0, L_i]` with a boundary condition on each axis.

    Args:
        lengths: the side lengths :math:`L_i`, one an axis, in any unit.
        boundary: one condition for all axes, or a tuple with one an axis. ``"reflecting"`` means a
            zero normal derivative, whose Laplacian eigenbasis is the cosine basis.

    Raises:
        ValueError: if a side is not a finite positive number, there is no side, or a boundary is
            unknown.

    Example:
        >>> box = Box((2.0, 1.0))
        >>> box.dim, box.volume, box.boundaries
        (2, 2.0, ('reflecting', 'reflecting'))
    """

    lengths: tuple[Real, ...]
    boundary: str | tuple[str, ...] = "reflecting"

    def __post_init__(self) -> None:
        lengths = tuple(positive(length, "A box's side length") for length in self.lengths)
        if not lengths:
            raise ValueError("A Box needs at least one side length; got none.")
        object.__setattr__(self, "lengths", lengths)
        if len(self.boundaries) != len(lengths):
            raise ValueError(
                f"A Box takes one boundary for all axes or one an axis; got {len(self.boundaries)} "
                f"boundaries for {len(lengths)} axes."
            )
        for name in self.boundaries:
            if name not in BOUNDARIES:
                raise ValueError(
                    f"Unknown boundary {name!r}; choose from {', '.join(map(repr, BOUNDARIES))}."
                )

    @property
    def dim(self) -> int:
        """The number of axes."""
        return len(self.lengths)

    @property
    def volume(self) -> float:
        r"""The mass :math:`|\Omega| = \prod_i L_i`."""
        return math.prod(self.lengths)

    @property
    def boundaries(self) -> tuple[str, ...]:
        """The boundary condition of each axis."""
        if isinstance(self.boundary, str):
            return (self.boundary,) * len(self.lengths)
        return tuple(self.boundary)


def unit_box(dim: int) -> Box:
    """The reflecting box with ``dim`` sides of length one."""
    return Box((1.0,) * dim)
