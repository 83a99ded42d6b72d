"""Functions on a domain, and the linear maps between them."""

from inftydiff.operators.basis import cosine_analysis, cosine_synthesis
from inftydiff.operators.discretisation import Discretisation, Grid, Scattered, Subset
from inftydiff.operators.domain import Box
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Field, Identity, LinearOperator
from inftydiff.operators.local import LocalOperator, local_operator, neighbours
from inftydiff.operators.mollifier import gaussian_mollifier, wiener_inverse
from inftydiff.operators.multiplier import HeatMultiplier, Multiplier, WienerMultiplier
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.operators.subsets import random_subset
from inftydiff.operators.transfer import Average, Interpolation, NearestNeighbours, interpolate

__all__ = [
    "Average",
    "Box",
    "Discretisation",
    "Field",
    "Function",
    "Grid",
    "HeatMultiplier",
    "Identity",
    "Interpolation",
    "LinearOperator",
    "LocalOperator",
    "Multiplier",
    "NearestNeighbours",
    "Scattered",
    "SpectralOperator",
    "Subset",
    "WienerMultiplier",
    "cosine_analysis",
    "cosine_synthesis",
    "gaussian_mollifier",
    "interpolate",
    "local_operator",
    "neighbours",
    "random_subset",
    "wiener_inverse",
]
