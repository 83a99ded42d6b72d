"""Orthonormal eigenfunctions of the Laplacian, one basis for each boundary condition."""

from inftydiff.operators.basis.axis import AxisBasis
from inftydiff.operators.basis.box import Eigenbasis, eigenbasis
from inftydiff.operators.basis.cosine import cosine_analysis, cosine_synthesis

__all__ = ["AxisBasis", "Eigenbasis", "cosine_analysis", "cosine_synthesis", "eigenbasis"]
