"""Orthonormal eigenfunctions of the Laplacian, one basis for each boundary condition."""

from inftydiff.operators.basis.axis import AxisBasis
from inftydiff.operators.basis.box import Eigenbasis, eigenbasis

__all__ = ["AxisBasis", "Eigenbasis", "eigenbasis"]
