r"""Distances between Gaussian measures, in closed form.

On a grid two measures are laws of the grid's values. If both covariances are diagonal in the grid's
eigenbasis, with the variances :math:`P_k` and :math:`Q_k` of one channel's coefficients, and the
means differ by :math:`\delta`,

.. math::
   \mathrm{KL}(p\,\|\,q) &= \frac12 \sum_k \Bigl( c\Bigl(\frac{P_k}{Q_k} - 1 -
   \log\frac{P_k}{Q_k}\Bigr) + \frac{\delta_k^2}{Q_k} \Bigr), \\
   W_2(p, q)^2 &= \sum_k \Bigl( c\bigl(\sqrt{P_k} - \sqrt{Q_k}\bigr)^2 + \delta_k^2 \Bigr),

for :math:`c` channels, where :math:`\delta_k^2` is summed over them. Elsewhere, with dense
covariances :math:`P` and :math:`Q` of :math:`n` values, :math:`c\,(P_k/Q_k - 1 - \log P_k/Q_k)`
becomes :math:`c\,(\mathrm{tr}\,Q^{-1}P - n - \log\det Q^{-1}P)`, and the first term of
:math:`W_2^2` becomes :math:`c\,\mathrm{tr}(P + Q - 2(P^{1/2} Q P^{1/2})^{1/2})` with :math:`P` and
:math:`Q` weighted by the quadrature: the norm is that of L².

Refined, the divergence on grids grows to that of the measures on the function space, which is
infinite for most pairs (:mod:`~inftydiff.processes.certificates`). :math:`W_2` converges.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import instance
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Discretisation, Grid
from inftydiff.processes._checks import a_place, channel_count
from inftydiff.processes.conditioning import ConditionedMeasure, cholesky
from inftydiff.processes.gaussian import GaussianMeasure

__all__ = ["kl_divergence", "wasserstein"]

Measure: TypeAlias = GaussianMeasure | ConditionedMeasure

NEGLIGIBLE = 1e-9
"""Coefficients of a mean below this, relative to its norm, are zero where nothing varies."""


def kl_divergence(
    p: Measure, q: Measure, *, on: Discretisation, channels: int | None = None
) -> Float[Tensor, "*batch"]:
    r"""The divergence :math:`\mathrm{KL}(p\,\|\,q)` of Kullback and Leibler of the laws of values.

    It is infinite if a mode varies under one law and not under the other, or the means differ in a
    mode that varies under neither. The modes that a field leaves out (those below 1e-10 of its
    operator's bound, or above a cut-off) do not vary; means that differ there by less than 1e-9 of
    their norm do not differ.

    Args:
        p: one law.
        q: the other.
        on: where the values are read.
        channels: the number of channels; by default that of the means, or 1.

    Returns:
        One number, or one a sample if means or covariances differ by sample, in nats; float64.

    Raises:
        ValueError: if a mean lives elsewhere or has other channels, or, not on a grid, a covariance
            is not positive to rounding.

    Example:
        >>> from inftydiff import Identity, WhiteNoise
        >>> p, q = (GaussianMeasure(None, Identity(), WhiteNoise(a)) for a in (1.0, 2.0))
        >>> kl_divergence(p, q, on=Grid((2,))).item()
        0.636294...
    """
    means = _Means.of(p, q, on, channels)
    if isinstance(on, Grid) and isinstance(p, GaussianMeasure) and isinstance(q, GaussianMeasure):
        return _kl_of_modes(p.mode_variances(on), q.mode_variances(on), means, on)
    rows, columns = (_root(measure, on).to(means.shift) for measure in (p, q))
    ratio = torch.linalg.solve_triangular(columns, rows, upper=False)
    logs = ratio.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    spread = ratio.square().sum((-2, -1)) - on.size - 2.0 * logs
    moved = torch.linalg.solve_triangular(columns, means.shift, upper=False)
    return 0.5 * (means.channels * spread + moved.square().sum((-2, -1)))


def wasserstein(
    p: Measure, q: Measure, *, on: Discretisation, channels: int | None = None
) -> Float[Tensor, "*batch"]:
    r"""The distance :math:`W_2(p, q)` of the laws of values, in the weighted norm of L².

    Args:
        p: one law.
        q: the other.
        on: where the values are read.
        channels: the number of channels; by default that of the means, or 1.

    Returns:
        One number, or one a sample if means or covariances differ by sample; float64.

    Raises:
        ValueError: if a mean lives elsewhere or has other channels.

    Example:
        >>> from inftydiff import Identity, WhiteNoise
        >>> p, q = (GaussianMeasure(None, Identity(), WhiteNoise(a)) for a in (1.0, 2.0))
        >>> wasserstein(p, q, on=Grid((9,))).item()
        3.0
    """
    means = _Means.of(p, q, on, channels)
    weights = on.weights.to(means.shift)
    if isinstance(on, Grid) and isinstance(p, GaussianMeasure) and isinstance(q, GaussianMeasure):
        roots = p.mode_variances(on).sqrt() - q.mode_variances(on).sqrt()
        spread = _sum_modes(roots.square(), on.dim)
    else:
        scale = weights.sqrt().unsqueeze(-1)
        P, Q = (scale * m.covariance(on).to(weights) * scale.mT for m in (p, q))
        values, vectors = torch.linalg.eigh(P)
        root = vectors * values.clamp(min=0.0).sqrt().unsqueeze(-2) @ vectors.mT
        both = torch.linalg.eigvalsh(root @ Q @ root).clamp(min=0.0).sqrt().sum(-1)
        spread = ((P + Q).diagonal(dim1=-2, dim2=-1).sum(-1) - 2.0 * both).clamp(min=0.0)
    distance = (means.shift.square().sum(-1) * weights).sum(-1)
    return (means.channels * spread.to(distance) + distance).sqrt()


@final
@dataclass(frozen=True, eq=False)
class _Means:
    """The difference of two means, in float64, and the sum of their squared sizes."""

    shift: Float[Tensor, "*batch points channels"]
    size: Float[Tensor, "*batch"]
    channels: int

    @staticmethod
    def of(p: Measure, q: Measure, on: Discretisation, channels: int | None) -> "_Means":
        for measure in (p, q):
            instance(measure, (GaussianMeasure, ConditionedMeasure), "A measure")
        a_place(on)
        given = p.mean_on(on), q.mean_on(on)
        numbers = {mean.channels for mean in given if mean is not None}
        numbers |= set() if channels is None else {channel_count(channels)}
        if len(numbers) > 1:
            raise ValueError(
                "The means, or the number of channels asked for, differ in their channels: "
                f"{sorted(numbers)}. Give all the same number."
            )
        number = numbers.pop() if numbers else 1
        zero = torch.zeros(*on.shape_of_points, number, dtype=torch.float64)
        device = next((m.values.device for m in given if m is not None), None)
        first, second = (
            zero.to(device) if mean is None else mean.values.to(device, torch.float64)
            for mean in given
        )
        weights = on.weights.to(first).unsqueeze(-1)
        size = ((first.square() + second.square()) * weights).sum((-2, -1))
        return _Means(first - second, size, number)


def _kl_of_modes(P: Tensor, Q: Tensor, means: _Means, grid: Grid) -> Tensor:
    shift = means.shift.mT
    image = shift.reshape(*shift.shape[:-1], *grid.shape)
    modes = eigenbasis(grid.domain).analysis(image).square().sum(-grid.dim - 1)
    moved = modes * grid.cell_volume
    P, Q = P.to(moved), Q.to(moved)
    safe = torch.where(Q > 0.0, Q, 1.0)
    excess = (P - Q) / safe
    terms = means.channels * (excess - excess.log1p()) + moved / safe
    negligible = NEGLIGIBLE**2 * means.size.reshape((*means.size.shape, *(1,) * grid.dim))
    terms = torch.where(Q > 0.0, terms, torch.where(moved > negligible, math.inf, 0.0))
    return 0.5 * _sum_modes(torch.where((P > 0.0) != (Q > 0.0), math.inf, terms), grid.dim)


def _sum_modes(terms: Tensor, dim: int) -> Tensor:
    return terms.flatten(terms.ndim - dim).sum(-1) if dim else terms


def _root(measure: Measure, on: Discretisation) -> Tensor:
    return cholesky(
        measure.covariance(on),
        f"The covariance of the values at the {on.size} points is not positive to rounding, so they"
        " have no density. Take fewer points, or a Grid, where it is diagonal.",
    )
