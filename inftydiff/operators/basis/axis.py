r"""One axis of an eigenbasis: the Laplacian's eigenfunctions on :math:`[0, L]`.

The eigenfunctions :math:`\varphi_0, \varphi_1, …` are orthonormal in L² and ordered by their wave
numbers :math:`\omega_k`, with :math:`-\varphi_k'' = \omega_k^2\varphi_k`. At the :math:`N` cell
centres :math:`x_i = (i + ½)L/N` the first :math:`N` of them are the *grid-orthonormal basis*: the
matrix :math:`\sqrt{L/N}\,\varphi_k(x_i) / c_k` is orthogonal. Here :math:`c_k = 1`, but
:math:`c_k = \sqrt2` for the mode that alternates from cell to cell, if there is one: it has its
largest value at every centre. Higher modes are, at the cell centres, multiples of the lower ones:
they fold.
"""

from abc import ABC, abstractmethod
from typing import TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.basis._fast import FastTransform

__all__ = ["AxisBasis", "Device"]

Device: TypeAlias = torch.device | str | None


class AxisBasis(ABC):
    """The eigenfunctions of one boundary condition on an axis of a given length."""

    @abstractmethod
    def waves(self, count: int, device: Device = None) -> Float[Tensor, "modes"]:
        r"""The wave numbers :math:`\omega_k` of the first ``count`` modes, float64."""

    @abstractmethod
    def count(self, wave: float) -> int:
        r"""How many modes have a wave number :math:`\omega_k` ≤ ``wave``."""

    @abstractmethod
    def modes(self, points: Float[Tensor, "*points"], count: int) -> Float[Tensor, "*points modes"]:
        r"""The values :math:`\varphi_k(x_p)` for ``k < count``."""

    @abstractmethod
    def images(
        self, count: int, cells: int, device: Device = None
    ) -> tuple[Int[Tensor, "modes"], Float[Tensor, "modes"]]:
        r"""What the first ``count`` modes are at the centres of so many cells.

        Returns:
            The numbers :math:`j_k < N` and the factors :math:`a_k` such that
            :math:`\sqrt{L/N}\,\varphi_k(x_i)` is :math:`a_k` times the grid-orthonormal basis
            vector :math:`j_k`; both of shape ``(count,)``, the factors in float64.
        """

    @abstractmethod
    def transform(self, n: int, like: Tensor) -> FastTransform:
        """The transform between ``n`` values and their coefficients in the grid-orthonormal basis.

        It is orthogonal, and made for the dtype and the place of ``like``.
        """
