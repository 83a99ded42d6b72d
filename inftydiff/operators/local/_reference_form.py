"""The local operator by its definition, as a form among the others."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.local._implementation import Form
from inftydiff.operators.local.definition import reference

__all__ = ["ReferenceForm"]


@final
@dataclass(frozen=True, eq=False)
class ReferenceForm(Form):
    """The definition, in float64 and quadratic in the points.

    Args:
        points: the points, of shape ``(points, dim)`` or ``(samples, points, dim)``.
        weights: their quadrature weights.
        cell: the side lengths of the reference cell.
    """

    points: Float[Tensor, "*samples points dim"]
    weights: Float[Tensor, "*samples points"]
    cell: tuple[float, ...]

    def __call__(
        self,
        values: Float[Tensor, "*batch points channels"],
        weight: Float[Tensor, "images *window"],
        scale: Float[Tensor, "*samples points"],
    ) -> Float[Tensor, "*batch points images"]:
        """Compute the sums as they stand."""
        return reference(values, weight, self.points, self.weights, self.cell).to(values.dtype)
