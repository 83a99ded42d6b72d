r"""The joint law of signal, noise and data as a discretisation reads them.

Given the values of :math:`x_t = \alpha\,S x_0 + \sigma N\xi` on a discretisation, the conditional
means of centred Gaussian data are linear,

.. math:: E[S x_0|x_t] = \alpha P\,\Sigma^{-1} x_t, \qquad E[N\xi|x_t] = \sigma V\,\Sigma^{-1} x_t,
          \qquad E[x_0|x_t] = \alpha K\,\Sigma^{-1} x_t, \qquad \Sigma = \alpha^2 P + \sigma^2 V,

with :math:`P` and :math:`V` the covariances of the values of :math:`S x_0` and :math:`N\xi`, and
:math:`K` the one between those of :math:`x_0` and of :math:`S x_0`. All modes of the functions are
in them. On a grid they are diagonal in the grid's eigenbasis, with the modes above the grid's
folded in; at other points they are matrices, and :math:`\Sigma^{-1}` is the inverse on the range.
What a state has outside the range, where its law has nothing, is called noise, and signal if there
is no noise, so that :math:`x_t` is always :math:`\alpha` times the signal and :math:`\sigma` times
the noise.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators import Function, Grid, Identity, LinearOperator, Scattered, Subset
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Discretisation
from inftydiff.operators.linear import Field
from inftydiff.operators.multiplier import Multiplier
from inftydiff.processes import DiffusionProcess, GaussianMeasure, RandomField
from inftydiff.processes.spectra import ComputedMultiplier, multiplier_of, scale_modes

__all__ = ["JointLaw", "Means", "ModalLaw", "PointLaw", "joint_law"]

VALUE_RESOLUTION = 256.0
"""To how many units of rounding the values of a state are taken to be known."""

MATRIX_RESOLUTION = 4.0
"""To how many units of rounding, times its trace, a covariance matrix is taken to be known."""


class Means(NamedTuple):
    """Conditional means of centred data, shaped like the state.

    Args:
        signal: that of S x0.
        noise: that of Nξ.
        clean: that of x0, or None if x0 has no values at the points.
    """

    signal: Function
    noise: Function
    clean: Function | None


@final
@dataclass(frozen=True, eq=False)
class ModalLaw:
    """The variances of coefficients on a grid, of shape ``(*shape)`` or ``(batch, *shape)``.

    Args:
        on: the grid.
        signal: those of S x0.
        noise: those of Nξ.
        cross: the covariances of the coefficients of x0 and S x0.
    """

    on: Grid
    signal: Tensor
    noise: Tensor
    cross: Tensor

    def blurred(self, factors: Float[Tensor, "batch *modes"]) -> "ModalLaw":
        """The law if the data are multiplied, mode by mode, by factors."""
        return ModalLaw(self.on, self.signal * factors**2, self.noise, self.cross * factors)

    def at(self, points: Subset) -> "PointLaw":
        """The law at some points of the grid."""
        basis, shape = eigenbasis(self.on.domain), self.on.shape
        ones = torch.ones(shape, dtype=torch.float64, device=points.index.device)
        rows = basis.modes(points.points, shape) / basis.fold(ones, shape).flatten()

        def matrix(variances: Tensor) -> Tensor:
            variances = variances.reshape(*variances.shape[: variances.ndim - self.on.dim], 1, -1)
            return (rows * variances.to(rows)) @ rows.mT

        return PointLaw(points, matrix(self.signal), matrix(self.noise), matrix(self.cross))

    def means(self, x: Function, alpha: Tensor, sigma: Tensor) -> Means:
        """The conditional means given centred states, with amplitudes of shape ``(batch,)``."""
        signal, noise, cross = (v.to(alpha.device) for v in (self.signal, self.noise, self.cross))
        alpha, sigma = self._one_each(alpha), self._one_each(sigma)
        total = alpha**2 * signal + sigma**2 * noise

        def mean(part: Tensor, else_: Tensor) -> Function:
            return scale_modes(x, torch.where(total > 0.0, part / total, else_))

        nothing = torch.zeros_like(sigma)
        return Means(
            mean(alpha * signal, torch.where(sigma > 0.0, nothing, 1.0 / alpha)),
            mean(sigma * noise, torch.where(sigma > 0.0, 1.0 / sigma, nothing)),
            mean(alpha * cross, nothing),
        )

    def resolution(self, x: Function, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "batch"]:
        """The variance below which coefficients of the states are rounding errors."""
        if not x.values[:1].numel() and len(x.values):
            raise ValueError(
                "States have one point and one channel at least; got values of shape "
                f"{tuple(x.values.shape)}. Give some."
            )
        largest = self._coefficients(x).detach().abs().flatten(1).amax(1)
        return (VALUE_RESOLUTION * torch.finfo(x.values.dtype).eps * largest) ** 2

    def log_density(
        self, x: Function, alpha: Tensor, sigma: Tensor, floor: Tensor
    ) -> Float[Tensor, "batch"]:
        """The log density of centred states, with variances of at least ``floor``."""
        signal, noise = self.signal.to(alpha.device), self.noise.to(alpha.device)
        variances = self._one_each(alpha) ** 2 * signal + self._one_each(sigma) ** 2 * noise
        variances = torch.maximum(variances, self._one_each(floor))
        variances = variances.reshape(len(variances), 1, -1)
        coefficients = self._coefficients(x)
        return -0.5 * (coefficients**2 / variances + variances.log()).sum((1, 2))

    def _coefficients(self, x: Function) -> Float[Tensor, "batch channels modes"]:
        analysed = eigenbasis(self.on.domain).analysis(x.to_image().double())
        return analysed.reshape(*x.values.mT.shape) * self.on.cell_volume**0.5

    def _one_each(self, numbers: Tensor) -> Tensor:
        return numbers.reshape(-1, *(1,) * self.on.dim)


@final
@dataclass(frozen=True, eq=False)
class PointLaw:
    """The covariance matrices of point values, each of shape ``(*batch, points, points)``.

    Args:
        on: the points.
        signal: that of S x0.
        noise: that of Nξ.
        cross: that between x0 and S x0, or None if x0 has no values at the points.
    """

    on: Subset | Scattered
    signal: Tensor
    noise: Tensor
    cross: Tensor | None

    def means(self, x: Function, alpha: Tensor, sigma: Tensor) -> Means:
        """The conditional means given centred states, with amplitudes of shape ``(batch,)``."""
        values, vectors = self._spectrum(alpha, sigma)
        floor = MATRIX_RESOLUTION * torch.finfo(torch.float64).eps * values.sum(-1, keepdim=True)
        inverse = torch.where(values > floor, 1.0 / values, 0.0).unsqueeze(-1)
        state = x.values.double()
        weights = vectors @ (inverse * (vectors.mT @ state))
        alpha, sigma = alpha.reshape(-1, 1, 1), sigma.reshape(-1, 1, 1)
        signal = alpha * (self.signal.to(weights) @ weights)
        noise = sigma * (self.noise.to(weights) @ weights)
        rest = state - alpha * signal - sigma * noise
        signal = torch.where(sigma > 0.0, signal, signal + rest / alpha)
        noise = torch.where(sigma > 0.0, noise + rest / sigma, noise)
        clean = None if self.cross is None else alpha * (self.cross.to(weights) @ weights)

        def function(values: Tensor) -> Function:
            return Function(x.on, values.to(x.values.dtype))

        return Means(function(signal), function(noise), None if clean is None else function(clean))

    def resolution(self, x: Function, alpha: Tensor, sigma: Tensor) -> Float[Tensor, "batch"]:
        """The variance below which combinations of the values are rounding errors."""
        rounding = MATRIX_RESOLUTION * torch.finfo(torch.float64).eps
        rounding += (VALUE_RESOLUTION * torch.finfo(x.values.dtype).eps) ** 2
        trace = self._total(alpha, sigma).diagonal(dim1=-2, dim2=-1).sum(-1)
        return rounding * trace

    def log_density(
        self, x: Function, alpha: Tensor, sigma: Tensor, floor: Tensor
    ) -> Float[Tensor, "batch"]:
        """The log density of centred states, with eigenvalues of at least ``floor``."""
        values, vectors = self._spectrum(alpha, sigma)
        variances = torch.maximum(values, floor.unsqueeze(-1)).unsqueeze(-1)
        coefficients = vectors.mT @ x.values.double()
        return -0.5 * (coefficients**2 / variances + variances.log()).sum((1, 2))

    def _total(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        alpha, sigma = alpha.reshape(-1, 1, 1), sigma.reshape(-1, 1, 1)
        return alpha**2 * self.signal.to(alpha) + sigma**2 * self.noise.to(alpha)

    def _spectrum(self, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Eigenvalues and eigenvectors of the states' covariance, one decomposition a time."""
        if self.signal.ndim > 2 or self.noise.ndim > 2:
            return _decomposed(self._total(alpha, sigma))
        pairs, sample = torch.stack([alpha, sigma], -1).unique(dim=0, return_inverse=True)
        values, vectors = _decomposed(self._total(pairs[:, 0], pairs[:, 1]))
        return values[sample], vectors[sample]


JointLaw: TypeAlias = ModalLaw | PointLaw
"""The joint law on any discretisation."""


def joint_law(
    process: DiffusionProcess,
    data: GaussianMeasure,
    signal: LinearOperator,
    on: Discretisation,
) -> JointLaw:
    """The joint law of signal, noise and centred data on a discretisation.

    Args:
        process: gives the noise and its factor.
        data: the law of x0, whose mean is left out.
        signal: the operator S, spectral.
        on: where the functions are read.

    Raises:
        ValueError: if the signal or the noise has no values there.
    """
    if isinstance(on, Subset):
        law = joint_law(process, data, signal, on.grid)
        assert isinstance(law, ModalLaw)
        return law.at(on)
    unit = torch.Generator().manual_seed(0)
    clean = data.draw(on.domain, batch=1, channels=1, generator=unit)
    noise = process.noise.draw(on.domain, batch=1, channels=1, generator=unit)
    filtered, noise = signal(clean), process.noise_factor(noise)
    if isinstance(on, Scattered):
        P, V = filtered.covariance(on), noise.covariance(on)
        return PointLaw(on, P, V, _point_cross(clean, signal, on, P))
    P, V = filtered.mode_variances(on), noise.mode_variances(on)
    return ModalLaw(on, P, V, _modal_cross(clean, signal, on, P))


def _modal_cross(clean: Field, signal: LinearOperator, grid: Grid, P: Tensor) -> Tensor:
    if isinstance(signal, Identity):
        return P
    up, down = (part.mode_variances(grid) for part in _parts(clean, multiplier_of(signal)))
    cross = up - down
    if _smooth(clean) or not _smooth(signal(clean)):
        return cross
    # x0 is read as its projection on the grid's modes, S x0 by its point values.
    ones = torch.ones(grid.shape, dtype=torch.float64)
    return cross * eigenbasis(grid.domain).fold(ones, grid.shape)


def _point_cross(clean: Field, signal: LinearOperator, on: Scattered, P: Tensor) -> Tensor | None:
    if isinstance(signal, Identity):
        return P
    if not _smooth(clean):
        return None
    up, down = (part.covariance(on) for part in _parts(clean, multiplier_of(signal)))
    return up - down


def _parts(clean: Field, S: Multiplier) -> tuple[Field, Field]:
    r"""Two fields; the covariance of the data, times S, is that of the first less the second.

    They are the images of the data under the roots of the positive and the negative part of S.
    """
    bound = S.bound**0.5
    up = ComputedMultiplier(lambda spectrum: S(spectrum).clamp(min=0.0).sqrt(), bound)
    down = ComputedMultiplier(lambda spectrum: (-S(spectrum)).clamp(min=0.0).sqrt(), bound)
    return clean.filtered(up), clean.filtered(down)


def _smooth(field: Field) -> bool:
    return not isinstance(field, RandomField) or field.smooth


def _decomposed(covariance: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(covariance)
    trace = values.abs().sum(-1)
    if bool((values[..., 0] < -1e-8 * trace).any()):
        raise ValueError(
            "The covariance of the states is not positive: it has the eigenvalue "
            f"{values.min().item():g}, and the trace {trace.max().item():g}. Check the covariance "
            "that the noise's fields give."
        )
    return values, vectors
