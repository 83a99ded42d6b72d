r"""The numerator of the local operator where all quadrature weights are equal.

They cancel between the numerator and the normaliser of

.. math:: (K v)(c) = \frac{\sum_y \kappa(c - y) ⊙ v(y)}{\sum_y \chi(c - y)},

and the sums become convolutions on a lattice. A ``Numerator`` is one way to compute the upper one;
what depends on the points alone is computed once, when it is built.
"""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

__all__ = ["Numerator"]


class Numerator(ABC):
    """The sum of the kernel times the values over the points in its window, bilinear in both."""

    @abstractmethod
    def __call__(
        self,
        values: Float[Tensor, "batch points channels"],
        weight: Float[Tensor, "channels *window"],
    ) -> Float[Tensor, "batch *shape channels"]:
        """Compute the sum at every point.

        Args:
            values: the function's values, of shape ``(batch, points, channels)``.
            weight: the kernel's table, of shape ``(channels, *window)``, in the values' dtype.

        Returns:
            The sums, of shape ``(batch, *shape, channels)``; the points are those of ``shape`` in
            row-major order. On a grid it is the grid's, else ``(points,)``.
        """
