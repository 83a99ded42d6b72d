r"""What a backend makes of a discretisation: one way to compute the local operator there.

Where all quadrature weights are equal they cancel between the numerator and the normaliser of

.. math:: (K v)(c) = \frac{\sum_y w_y\, \kappa(c - y)\, v(y)}{\sum_y w_y\, \chi(c - y)},

and on a lattice the sums are convolutions. What depends on the points alone is computed once, when
a form is built.
"""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

__all__ = ["Form", "is_depthwise"]


class Form(ABC):
    """The local operator at the points of a discretisation, bilinear in values and kernel."""

    @abstractmethod
    def __call__(
        self,
        values: Float[Tensor, "*batch points channels"],
        weight: Float[Tensor, "images *window"],
        scale: Float[Tensor, "*samples points"],
    ) -> Float[Tensor, "*batch points images"]:
        """Compute the operator.

        Args:
            values: the function's values, of shape ``(*batch, points, channels)``; if there is one
                set of points a sample, the last axis of the batch is theirs.
            weight: the kernel's table in the values' dtype, of shape ``(channels, *window)``, or
                ``(images, channels, *window)`` if it mixes the channels.
            scale: one over the normaliser at each point, and zero where that is zero, in the
                values' dtype.
        """


def is_depthwise(weight: Tensor, dim: int) -> bool:
    """Whether a kernel's table has one table a channel, rather than a matrix of tables."""
    return weight.ndim == dim + 1
