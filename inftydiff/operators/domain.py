r"""Domains: where functions live.

A box :math:`\Omega = \prod_i [0, L_i]` with one boundary condition an axis, or one point, whose
functions are plain vectors. Every length in the library (mollifier widths, kernel footprints, cell
sizes) is in the units of the box's sides, never in pixels.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias, final

from inftydiff._components import component
from inftydiff._typing import (
    LONGEST,
    MOST_AXES,
    SHORTEST,
    Real,
    choice,
    entries,
    instance,
    length,
)

__all__ = ["BOUNDARIES", "Box", "Domain", "Point", "require_domain", "unit_box"]

BOUNDARIES = ("reflecting", "periodic", "absorbing")
"""The boundary conditions of an axis: zero slope, ends joined, zero value."""


@component("domain", "box")
@final
@dataclass(frozen=True, eq=False)
class Box:
    r"""A box :math:`\prod_i [0, L_i]` with a boundary condition on each axis.

    Args:
        lengths: the side lengths :math:`L_i`, one an axis, in any unit.
        boundary: one condition for all axes, or a tuple with one an axis. ``"reflecting"`` means a
            zero normal derivative (cosine basis), ``"periodic"`` that the two sides are one and the
            same (Fourier basis), ``"absorbing"`` a zero value (sine basis). One condition for all
            axes and the same one for each are equal.

    Raises:
        TypeError: if the sides are no numbers, or the boundaries no words.
        ValueError: if a side is not a finite positive number, from 10⁻¹² to 10¹², there is no side
            or more than 16, the volume is not from 10⁻³⁶ to 10³⁶, or a boundary is unknown.

    Example:
        >>> box = Box((2.0, 1.0), boundary=("periodic", "reflecting"))
        >>> box.dim, box.volume, box.boundaries
        (2, 2.0, ('periodic', 'reflecting'))
    """

    lengths: tuple[Real, ...]
    boundary: str | tuple[str, ...] = "reflecting"

    def __post_init__(self) -> None:
        found = entries(self.lengths, "A box's side lengths", most=MOST_AXES)
        lengths = tuple(length(side, "A box's side length") for side in found)
        if not lengths:
            raise ValueError(
                "A Box needs at least one side length; got none. Take Point() instead."
            )
        object.__setattr__(self, "lengths", lengths)
        if not SHORTEST**3 <= self.volume <= LONGEST**3:
            raise ValueError(
                f"A box's volume must be from {SHORTEST**3:g} to {LONGEST**3:g}; got "
                f"{self.volume:g}. Choose a unit nearer to the lengths."
            )
        if not isinstance(self.boundary, str):
            conditions = entries(self.boundary, "A box's boundaries", most=MOST_AXES)
            object.__setattr__(self, "boundary", conditions)
        if len(self.boundaries) != len(lengths):
            raise ValueError(
                f"A Box takes one boundary for all axes or one an axis; got {len(self.boundaries)} "
                f"boundaries for {len(lengths)} axes."
            )
        for name in self.boundaries:
            choice(name, BOUNDARIES, "A box's boundary")

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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Box):
            return False
        return self.lengths == other.lengths and self.boundaries == other.boundaries

    def __hash__(self) -> int:
        return hash((self.lengths, self.boundaries))


@component("domain", "point")
@final
@dataclass(frozen=True)
class Point:
    """One point of mass one: functions on it are plain vectors, one number a channel.

    Its only grid is ``Grid((), Point())``, with values of shape ``(*batch, 1, channels)``.

    Example:
        >>> Point().dim, Point().volume, Point().lengths
        (0, 1.0, ())
    """

    @property
    def lengths(self) -> tuple[float, ...]:
        """No side lengths."""
        return ()

    @property
    def dim(self) -> int:
        """Zero, the number of axes."""
        return 0

    @property
    def volume(self) -> float:
        """The mass, one."""
        return 1.0

    @property
    def boundaries(self) -> tuple[str, ...]:
        """No boundary conditions."""
        return ()


Domain: TypeAlias = Box | Point
"""Where functions live; both kinds have ``dim`` ``lengths`` ``boundaries`` ``volume``."""


def require_domain(domain: Domain, name: str) -> Domain:
    """Return a domain, refusing other things.

    Raises:
        TypeError: if it is neither a box nor the point; ``name`` says which it was.
    """
    return instance(domain, (Box, Point), name, "Pass one, such as Box((1.0, 1.0)).")


def unit_box(dim: int) -> Box:
    """The reflecting box with ``dim`` sides of length one."""
    return Box((1.0,) * dim)
