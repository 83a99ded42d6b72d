r"""Physical units to :math:`[-1, 1]` and back, variable by variable.

A variable between a minimum a and a maximum b becomes :math:`2(v - a)/(b - a) - 1`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import (
    Real,
    floating,
)

__all__ = ["FieldScale", "number"]


def number(value: object, what: str) -> float:
    """A finite real number.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is not finite.
    """
    if isinstance(value, bool | str | bytes | complex):
        raise TypeError(f"{what} is a number; got {value!r}.")
    try:
        real = float(value)  # type: ignore[arg-type] # refused below
    except OverflowError:
        real = math.inf
    except Exception as error:
        raise TypeError(f"{what} is a number; got {value!r}.") from error
    if not math.isfinite(real):
        raise ValueError(f"{what} is a finite number; got {value!r:.80}.")
    return real


@final
@dataclass(frozen=True)
class FieldScale:
    r"""The range of each variable; undoing it brings samples back to their units.

    Args:
        ranges: the minimum and the maximum of each variable, in the order of the channels. It can
            be kept as JSON.

    Raises:
        TypeError: if it is no mapping from names to pairs of numbers.
        ValueError: if there is no variable, or a minimum is not below its maximum, both finite.

    Example:
        >>> scale = FieldScale({"t": (260.0, 300.0), "u": (-20.0, 20.0)})
        >>> x = scale(torch.tensor([270.0, 20.0]).reshape(2, 1, 1))
        >>> x.flatten(), scale.undo(x).flatten()
        (tensor([-0.5000,  1.0000]), tensor([270.,  20.]))
    """

    ranges: Mapping[str, Sequence[Real]]

    def __post_init__(self) -> None:
        if not isinstance(self.ranges, Mapping):
            raise TypeError(
                "A scale is made of a mapping from names to pairs of numbers; got "
                f"{self.ranges!r:.80}."
            )
        if not self.ranges:
            raise ValueError("A scale has the range of at least one variable; got none. State one.")
        ranges = {name: _pair(name, ends) for name, ends in self.ranges.items()}
        object.__setattr__(self, "ranges", ranges)

    def __call__(self, values: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n c h w"]:
        r"""Bring values from their units to :math:`[-1, 1]`, if they are within the ranges.

        Raises:
            TypeError: if the values are no floating-point numbers.
            ValueError: if there is not one channel a variable.
        """
        low, high = self._ends(values)
        return 2.0 * (values - low) / (high - low) - 1.0

    def undo(self, values: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n c h w"]:
        r"""Bring values, samples of a model say, from :math:`[-1, 1]` to their units.

        Raises:
            TypeError: if the values are no floating-point numbers.
            ValueError: if there is not one channel a variable.
        """
        low, high = self._ends(values)
        return low + 0.5 * (values + 1.0) * (high - low)

    def _ends(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Minima and maxima, of shape ``(c, 1, 1)``, with the values' dtype and place."""
        floating(values, "Values of fields")
        if values.ndim < 3 or values.shape[-3] != len(self.ranges):
            raise ValueError(
                f"Values of {', '.join(self.ranges)} have the shape (..., {len(self.ranges)}, h, "
                f"w); got {tuple(values.shape)}."
            )
        ends = torch.tensor(list(self.ranges.values()), dtype=torch.float64).to(values)
        low, high = ends.T[:, :, None, None]
        return low, high


def _pair(name: str, ends: object) -> tuple[float, float]:
    """A finite minimum below a finite maximum."""
    if isinstance(ends, str | bytes) or not isinstance(ends, Sequence | np.ndarray | Tensor):
        raise TypeError(f"The range of {name!r} is a pair of numbers; got {ends!r:.80}.")
    got = list(ends)
    try:
        got = [number(end, f"An end of the range of {name!r}") for end in ends]
        low, high = got
        if low < high and math.isfinite(high - low):
            return low, high
    except ValueError:
        pass  # not finite, or not two
    raise ValueError(
        f"The range of {name!r} is a finite minimum below a finite maximum; got {got}. State "
        "another range, or leave out a constant variable."
    )
