r"""The error budget of "mollify, diffuse, deconvolve" on a grid.

The true function is :math:`x_0 = \sum_k x_k\varphi_k` with uncorrelated coefficients of the
variances :math:`P_k`, on all modes of a finest grid. The sampler's output on a coarser grid has the
values of :math:`T x_0`, in which the modes above the grid's fold onto the grid's, plus an error. A
filter :math:`W` turns it into the estimate :math:`\hat x_0`, a function in the span of the grid's
modes. The mean of :math:`\lVert\hat x_0 - x_0\rVert^2` is a sum over modes: in a mode of the grid,
with the squared norm :math:`n_k^2` of its values there, which is one for almost all,

.. math::

   \underbrace{(W_k G_k - 1)^2 P_k}_{\text{bias}}
   + \underbrace{\frac{W_k^2}{n_k^2} \sum_{j \to k} a_{jk}^2 G_j^2 P_j}_{\text{aliased}}
   + \underbrace{\frac{W_k^2}{n_k^2} E_k}_{\text{amplified}}
   + \text{interaction},

where :math:`a_{jk}` says how mode :math:`j` above the grid folds onto :math:`k`; and in a mode
above the grid :math:`P_k`, which is lost.

The error's :math:`E_k = \sum_{j \to k} a_{jk}^2 E_j`, with :math:`a_{kk} = n_k`, is what the grid
reads of it: it has its own modes, of which the finest grid, that of :math:`x_0`, says nothing. The
error is either uncorrelated with :math:`x_0`, and there is no interaction, or it follows from
the law of the output. An output with the variances :math:`V_k`, in the place of those of
:math:`T x_0`, :math:`V_k^*`, is read as :math:`\sqrt{V_k/V_k^*}` times the values of :math:`T x_0`,
the nearest variable with its law: :math:`E_k = (\sqrt{V_k} - \sqrt{V_k^*})^2`, whose sum is the
squared Wasserstein distance of the two laws. Such an error is a multiple of the signal, and its
interaction with bias and aliasing has either sign.
"""

import math
from dataclasses import dataclass, fields
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, check_finite, floating
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Grid
from inftydiff.operators.linear import LinearOperator
from inftydiff.operators.multiplier import Multiplier
from inftydiff.processes._checks import a_grid, an_operator
from inftydiff.processes.deconvolution import Spectrum, variance_spectrum
from inftydiff.processes.empirical import rings
from inftydiff.processes.random_field import MOST_MODES
from inftydiff.processes.spectra import multiplier_of

__all__ = ["ErrorBudget", "error_budget"]

REFINEMENT = 4
"""The ratio of the cells of the finest grid along each axis, by default."""

DECAYED = 1e-20
"""A spectrum that falls below this, relative to its bound, is that of a function with values."""


@final
@dataclass(frozen=True, eq=False)
class ErrorBudget:
    r"""The parts of the mean square error of a deconvolved sample.

    One entry for each mode of the finest grid, for each ring of wave numbers (:meth:`bands`), or
    one in all (:meth:`total`). Every entry is a part of :math:`\mathbb E\lVert\cdot\rVert^2` of one
    channel; divide sums by the domain's volume for mean squares of values.

    Args:
        wave: the wave number :math:`\sqrt\lambda`, or the middle of the ring.
        signal: the energy of :math:`x_0`.
        hidden: what the mollifier takes away, :math:`(1 - G)^2 P`: the error of :math:`T x_0` taken
            for :math:`x_0`.
        error: the error of the sampler's output, before the filter.
        bias: what the filter does not restore.
        aliased: what it makes of the modes above the grid that fold onto the grid's.
        amplified: what it makes of the sampler's error.
        interaction: twice the covariance of the sampler's error with bias and aliasing, filtered.
        lost: the energy of :math:`x_0` in the modes above the grid.
    """

    wave: Float[Tensor, "*entries"]
    signal: Float[Tensor, "*entries"]
    hidden: Float[Tensor, "*entries"]
    error: Float[Tensor, "*entries"]
    bias: Float[Tensor, "*entries"]
    aliased: Float[Tensor, "*entries"]
    amplified: Float[Tensor, "*entries"]
    interaction: Float[Tensor, "*entries"]
    lost: Float[Tensor, "*entries"]

    @property
    def risk(self) -> Float[Tensor, "*entries"]:
        """The mean square error of the estimate: the sum of the last five parts."""
        return self.bias + self.aliased + self.amplified + self.interaction + self.lost

    def bands(self, width: Real | None = None) -> "ErrorBudget":
        """The budget by wave number, summed over rings.

        Args:
            width: of the rings, in wave number; by default the smallest wave number above zero.

        Returns:
            A budget with entries of shape ``(rings,)``, rings without modes left out.

        Raises:
            ValueError: if the width is not a finite number above zero.
        """
        ring = rings(self.wave.flatten(), width)
        present, index, modes = ring.unique(return_inverse=True, return_counts=True)
        zeros = self.signal.new_zeros(len(present))
        sums = {
            part.name: zeros.index_add(0, index, getattr(self, part.name).flatten())
            for part in fields(self)
        }
        return ErrorBudget(**sums | {"wave": sums["wave"] / modes})

    def total(self) -> "ErrorBudget":
        """The sums over all entries, of shape ``()``; the wave number is the largest."""
        sums = {part.name: getattr(self, part.name).sum() for part in fields(self)}
        return ErrorBudget(**sums | {"wave": self.wave.max()})

    def table(self) -> str:
        """The sums of all parts and of the risk, a line each, with their shares of the signal."""
        total = self.total()
        names = [part.name for part in fields(self) if part.name != "wave"]
        lines = []
        for name in (*names, "risk"):
            energy = getattr(total, name).item()
            share = energy / total.signal.item() if total.signal else float("nan")
            lines.append(f"{name:<12}{energy:>12.4g}{share:>10.2%}")
        return "\n".join(lines)


def error_budget(
    mollifier: LinearOperator,
    inverse: LinearOperator,
    *,
    data: Spectrum,
    on: Grid,
    error: Spectrum | None = None,
    output: Float[Tensor, "*modes"] | None = None,
    finest: Grid | None = None,
) -> ErrorBudget:
    r"""Return the error budget of a function that is mollified, sampled and deconvolved.

    Args:
        mollifier: the spectral operator :math:`T`.
        inverse: the spectral filter :math:`W`, such as :func:`~inftydiff.wiener_inverse` or
            :func:`~inftydiff.processes.deconvolution.optimal_wiener`.
        data: the law of :math:`x_0`, or its variances.
        on: the grid of the sampler.
        error: the law of the sampler's error, uncorrelated with :math:`x_0`, or its variances. An
            error with point values has all its modes above the grid folded in, whatever the finest
            grid; one without decay, such as a white one, is read as its projection on the grid's
            modes.
        output: the law of the output instead: the variances of its coefficients in the grid's
            orthonormal eigenbasis, times the volume of a cell, of shape ``on.shape``, as
            ``GaussianMeasure.mode_variances`` gives them. With neither, the sampler makes no error.
        finest: the grid whose modes :math:`x_0` has; those above are left out of the account. By
            default one of four times as many cells along each axis; ``finest=on`` for data that are
            pictures on the grid and nothing more.

    Returns:
        A budget with entries of shape ``finest.shape``, one a mode, in float64.

    Raises:
        TypeError: if an operator is not spectral.
        ValueError: if a measure has a mean; both ``error`` and ``output`` are given; the output's
            variances have another shape, are negative or not finite; the finest grid lives on
            another domain or is coarser than the grid; or a spectrum has one scale a sample.

    Example:
        >>> from inftydiff import GaussianMeasure, Identity, WhiteNoise
        >>> from inftydiff import gaussian_mollifier, wiener_inverse
        >>> T = gaussian_mollifier(1 / 16)
        >>> data = GaussianMeasure(None, gaussian_mollifier(1 / 32), WhiteNoise())
        >>> error = GaussianMeasure(None, Identity(), WhiteNoise(0.01))
        >>> budget = error_budget(T, wiener_inverse(T), data=data, error=error, on=Grid((16,)))
        >>> total = budget.total()
        >>> f"{total.bias:.2f} + {total.amplified:.2f} + {total.lost:.2f} = {total.risk:.2f}"
        '0.34 + 0.04 + 0.28 = 0.66'
    """
    an_operator(mollifier, "A budget's mollifier")
    an_operator(inverse, "A budget's inverse")
    a_grid(on)
    if finest is not None:
        a_grid(finest, "The finest grid, unless None,")
    if output is not None:
        floating(output, "The law of the output, unless None,")
    finest = Grid(tuple(REFINEMENT * n for n in on.shape), on.domain) if finest is None else finest
    _check(on, finest, error, output)
    basis = eigenbasis(on.domain)
    device = None if output is None else output.device
    low = tuple(slice(n) for n in on.shape)

    eigenvalues = basis.eigenvalues(finest.shape, device)
    signal = _one_for_all(variance_spectrum(data)(eigenvalues), finest)
    gain = _one_for_all(multiplier_of(mollifier)(eigenvalues), finest)
    filtered = _one_for_all(multiplier_of(inverse)(eigenvalues[low]), on)
    norms = basis.fold_variance(torch.ones_like(filtered), on.shape)

    def folded(variances: Tensor) -> Tensor:
        return basis.fold_variance(variances, on.shape) / norms

    above = signal.clone()
    above[low] = 0.0
    aliases = folded(gain**2 * above)
    own = gain[low] ** 2 * signal[low]

    noise, interaction = torch.zeros_like(own), torch.zeros_like(own)
    if error is not None:
        noise = _one_for_all(_as_read(error, on).to(norms), on) / norms
    elif output is not None:
        expected = (own + aliases).sqrt()
        excess = (output.double() / norms).sqrt() - expected
        noise = excess**2
        share = torch.where(expected > 0.0, gain[low] * signal[low] / expected, 0.0)
        interaction = 2.0 * filtered * excess * (filtered * expected - share)

    def placed(entries: Tensor) -> Tensor:
        result = torch.zeros_like(signal)
        result[low] = entries
        return result

    return ErrorBudget(
        wave=eigenvalues.sqrt(),
        signal=signal,
        hidden=(1.0 - gain) ** 2 * signal,
        error=placed(noise),
        bias=placed((filtered * gain[low] - 1.0) ** 2 * signal[low]),
        aliased=placed(filtered**2 * aliases),
        amplified=placed(filtered**2 * noise),
        interaction=placed(interaction),
        lost=above,
    )


def _as_read(error: Spectrum, on: Grid) -> Tensor:
    """The variances of an error's coefficients on a grid, all its modes above the grid's folded in.

    They are those of the error and not of the data, which may have fewer modes.
    """
    variances = variance_spectrum(error)
    if not isinstance(error, Multiplier):
        return error.mode_variances(on)
    basis = eigenbasis(on.domain)
    wave = variances.bandwidth(DECAYED * variances.bound) if variances.bound > 0.0 else 0.0
    if wave == float("inf"):
        return variances(basis.eigenvalues(on.shape))
    counts = tuple(max(1, count) for count in basis.counts(wave))
    if math.prod(counts) > MOST_MODES:
        raise ValueError(
            f"The error has {' × '.join(map(str, counts))} modes, too many to be summed: its "
            "spectrum decays too slowly. Give it a cut-off, or one without decay."
        )
    return basis.fold_variance(variances(basis.eigenvalues(counts)), on.shape)


def _check(on: Grid, finest: Grid, error: Spectrum | None, output: Tensor | None) -> None:
    if finest.domain != on.domain or any(
        fine < n for fine, n in zip(finest.shape, on.shape, strict=True)
    ):
        raise ValueError(
            f"The finest grid has the domain of the grid and no fewer cells; got {finest.shape} "
            f"cells on {finest.domain} for {on.shape} cells on {on.domain}."
        )
    if error is not None and output is not None:
        raise ValueError(
            "The sampler's error is given by its law or by the law of the output; got both error "
            "and output. Leave one out."
        )
    if output is None:
        return
    if tuple(output.shape) != on.shape:
        raise ValueError(
            f"The law of the output has one variance a mode, of shape {on.shape}; got "
            f"{tuple(output.shape)}."
        )
    if not bool((check_finite(output, "The variances of the output") >= 0.0).all()):
        raise ValueError(f"Variances are not negative; got {output.min().item():g}.")


def _one_for_all(factors: Tensor, grid: Grid) -> Tensor:
    if factors.ndim > grid.dim:
        raise ValueError(
            f"A budget is that of one law; got operators with {factors.shape[0]} scales, one a "
            "sample. Make a budget for each."
        )
    return factors
