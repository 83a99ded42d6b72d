"""Functions on a domain, and the linear maps between them."""

from inftydiff.operators.asymptote import Asymptote
from inftydiff.operators.basis import Eigenbasis, eigenbasis
from inftydiff.operators.cells import coarsen, refine
from inftydiff.operators.covariance import bessel, matern, squared_exponential
from inftydiff.operators.discretisation import Discretisation, Grid, Scattered, Subset
from inftydiff.operators.domain import Box, Domain, Point
from inftydiff.operators.evaluation import (
    CellAverages,
    Evaluation,
    Restriction,
    cell_averages,
    known_points,
    point_values,
)
from inftydiff.operators.function import Function
from inftydiff.operators.functionals import Functionals
from inftydiff.operators.integrals import Integrals, fourier_samples, region_averages
from inftydiff.operators.inverse import exact_inverse
from inftydiff.operators.linear import Field, Identity, LinearOperator
from inftydiff.operators.local import LocalOperator, local_operator, neighbours
from inftydiff.operators.mollifier import gaussian_mollifier, truncated_gaussian_mollifier
from inftydiff.operators.multiplier import HeatMultiplier, Multiplier, WienerMultiplier
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.operators.subsets import random_subset
from inftydiff.operators.transfer import (
    Interpolation,
    KernelSmoother,
    NearestNeighbours,
    interpolate,
)
from inftydiff.operators.wiener import wiener_inverse

__all__ = [
    "Asymptote",
    "Box",
    "CellAverages",
    "Discretisation",
    "Domain",
    "Eigenbasis",
    "Evaluation",
    "Field",
    "Function",
    "Functionals",
    "Grid",
    "HeatMultiplier",
    "Identity",
    "Integrals",
    "Interpolation",
    "KernelSmoother",
    "LinearOperator",
    "LocalOperator",
    "Multiplier",
    "NearestNeighbours",
    "Point",
    "Restriction",
    "Scattered",
    "SpectralOperator",
    "Subset",
    "WienerMultiplier",
    "bessel",
    "cell_averages",
    "coarsen",
    "eigenbasis",
    "exact_inverse",
    "fourier_samples",
    "gaussian_mollifier",
    "interpolate",
    "known_points",
    "local_operator",
    "matern",
    "neighbours",
    "point_values",
    "random_subset",
    "refine",
    "region_averages",
    "squared_exponential",
    "truncated_gaussian_mollifier",
    "wiener_inverse",
]
