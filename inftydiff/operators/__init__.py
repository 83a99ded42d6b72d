"""Functions on a domain, and the linear maps between them."""

from inftydiff.operators.asymptote import Asymptote
from inftydiff.operators.basis import Eigenbasis, eigenbasis
from inftydiff.operators.cells import coarsen, refine
from inftydiff.operators.covariance import bessel, matern, squared_exponential
from inftydiff.operators.discretisation import Discretisation, Grid, Scattered, Subset
from inftydiff.operators.domain import Box, Domain, Point
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Field, Identity, LinearOperator
from inftydiff.operators.local import LocalOperator, local_operator, neighbours
from inftydiff.operators.mollifier import gaussian_mollifier, truncated_gaussian_mollifier
from inftydiff.operators.multiplier import HeatMultiplier, Multiplier, WienerMultiplier
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.operators.subsets import random_subset
from inftydiff.operators.transfer import Average, Interpolation, NearestNeighbours, interpolate
from inftydiff.operators.wiener import wiener_inverse

__all__ = [
    "Asymptote",
    "Average",
    "Box",
    "Discretisation",
    "Domain",
    "Eigenbasis",
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
    "Point",
    "Scattered",
    "SpectralOperator",
    "Subset",
    "WienerMultiplier",
    "bessel",
    "coarsen",
    "eigenbasis",
    "gaussian_mollifier",
    "interpolate",
    "local_operator",
    "matern",
    "neighbours",
    "random_subset",
    "refine",
    "squared_exponential",
    "truncated_gaussian_mollifier",
    "wiener_inverse",
]
