r"""Gaussian measures conditioned on point observations: Gaussian process posteriors.

Let :math:`f \sim \mathcal N(\mu, C)`, and let :math:`y = f(X) + \varepsilon` be seen, with
independent errors of variance :math:`\rho^2`. With :math:`K = C(X, X) + \rho^2 I`, the law of
:math:`f` given :math:`y` is Gaussian again, with

.. math::
   m(x) &= \mu(x) + C(x, X)\, K^{-1} (y - \mu(X)), \\
   c(x, x') &= C(x, x') - C(x, X)\, K^{-1}\, C(X, x').

A sample corrects a draw :math:`f` of the prior by what it says at the observations (Matheron's
rule):

.. math:: f(x) + C(x, X)\, K^{-1} (y - f(X) - \varepsilon),

so that one draw is one function, whatever the points that it is read at.

References:
    C. Rasmussen and C. Williams, "Gaussian Processes for Machine Learning", MIT Press, 2006,
    chapter 2; J. Wilson et al., "Efficiently sampling functions from Gaussian process posteriors",
    ICML 2020.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, check_finite, generator_for, not_negative
from inftydiff.operators.discretisation import Discretisation
from inftydiff.operators.domain import Domain
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Field
from inftydiff.processes._checks import (
    STRONGEST,
    a_function,
    a_place,
    channel_count,
    conforming,
    samples,
)
from inftydiff.processes._normals import normals

__all__ = ["ConditionedMeasure", "Prior", "cholesky"]


@runtime_checkable
class Prior(Protocol):
    """A measure that can be conditioned: a ``GaussianMeasure``, or a class of one's own."""

    def mean_on(self, on: Discretisation) -> Function | None:
        """The mean's values, or None for zero."""

    def covariance(
        self, on: Discretisation, other: Discretisation | None = None
    ) -> Float[Tensor, "*batch points others"]:
        """The covariance of the values of one channel."""

    def draw(
        self, domain: Domain, *, batch: int, channels: int, generator: torch.Generator
    ) -> Field:
        """Draw the random part of samples."""


@final
@dataclass(frozen=True)
class ConditionedMeasure:
    r"""The law of a function, given some of its values.

    Channels are independent, and have the same covariance. Everything costs :math:`O(m^3)` once for
    :math:`m` observations, and :math:`O(m n)` for :math:`n` points.

    Args:
        prior: the law before anything was seen.
        observed: the values :math:`y` at the points :math:`X`, of shape
            ``(*batch, points, channels)`` with at most one batch axis.
        noise_std: the standard deviation :math:`\rho` of the errors, or 0.

    Raises:
        ValueError: if the deviation is negative or not finite, a value is not finite, there is more
            than one batch axis, the prior has no values at the points, or the covariance of the
            observations is not positive.
    """

    prior: Prior
    observed: Function
    noise_std: Real

    def __post_init__(self) -> None:
        conforming(self.prior, Prior, "What is conditioned", "Pass a GaussianMeasure.")
        a_function(self.observed, "The observations")
        name = "The standard deviation of observations"
        object.__setattr__(self, "noise_std", not_negative(self.noise_std, name, most=STRONGEST))
        if len(self.observed.batch) > 1:
            raise ValueError(
                f"Observations have at most one batch axis; got the batch {self.observed.batch}."
            )
        check_finite(self.observed.values, "Observed values")
        self._residual, self._cholesky  # noqa: B018

    def mean_on(self, on: Discretisation) -> Function:
        """The conditional mean, of shape ``(*batch, points, channels)``.

        Args:
            on: where it is wanted.

        Returns:
            A function in the dtype and place of the observations.

        Raises:
            ValueError: if the prior has no values there.
        """
        a_place(on)
        mean = self.prior.mean_on(on)
        values = self._gain(on) @ self._residual  # (*batch, points, channels)
        return self._as_observed(on, values if mean is None else values + mean.values.double())

    def covariance(
        self, on: Discretisation, other: Discretisation | None = None
    ) -> Float[Tensor, "*batch points others"]:
        """The covariance matrix of one channel's values, float64; it does not depend on them.

        Args:
            on: where the values of the rows are read.
            other: where those of the columns are read; by default the same.

        Raises:
            ValueError: if the prior has no values there.
        """
        a_place(on)
        if other is not None:
            a_place(other, "The other points")
        columns = self._whitened(on if other is None else other)
        rows = columns if other is None else self._whitened(on)
        return self.prior.covariance(on, other).to(rows) - rows.mT @ columns

    def sample(
        self, on: Discretisation, *, batch: int, channels: int, generator: torch.Generator
    ) -> Function:
        """Draw independent samples by Matheron's rule.

        From the same state of the generator the same functions are read, whatever the points, and a
        smaller batch is the start of a larger one.

        Args:
            on: where the samples are wanted.
            batch: the number of samples.
            channels: the number of channels, which is that of the observations.
            generator: the source of randomness.

        Returns:
            A function of shape ``(batch, points, channels)``, in the dtype and place of the
            observations.

        Raises:
            ValueError: if the observations have another batch or other channels, or the prior has
                no values at the points.
        """
        a_place(on)
        samples(batch)
        channels = channel_count(channels)
        generator_for(generator, "ConditionedMeasure.sample")
        seen = self.observed
        if seen.batch not in ((), (1,), (batch,)) or seen.channels != channels:
            raise ValueError(
                f"The observations have the batch {seen.batch} and {seen.channels} channels; asked "
                f"for {batch} samples of {channels} channels."
            )
        field = self.prior.draw(on.domain, batch=batch, channels=channels, generator=generator)
        seed = torch.randint(0, 2**63 - 1, (), generator=generator, device=generator.device)
        errors = normals(
            int(seed),
            batch=batch,
            channels=channels,
            counts=(seen.on.size,),
            device=seen.values.device,
        ).mT  # (batch, m, channels)
        there = self._read(field, seen.on) + self.noise_std * errors
        values = self._read(field, on) + self._gain(on) @ (self._residual - there)
        mean = self.prior.mean_on(on)
        return self._as_observed(on, values if mean is None else values + mean.values.double())

    @cached_property
    def _cholesky(self) -> Float[Tensor, "*batch points points"]:
        """The lower triangular root of K."""
        on = self.observed.on
        with torch.inference_mode(False):
            covariance = self.prior.covariance(on).to(self.observed.values.device)
            errors = self.noise_std**2 * torch.eye(on.size).to(covariance)
            return cholesky(
                covariance + errors,
                f"The covariance of the {on.size} observations is not positive: some coincide, or "
                "lie closer together than so smooth a function can vary. Got "
                f"noise_std={self.noise_std:g}; pass a larger one (a thousandth of the standard "
                "deviation, say), or observe fewer points.",
            )

    def _read(self, field: Field, on: Discretisation) -> Float[Tensor, "batch points channels"]:
        return field(on, dtype=torch.float64, device=self.observed.values.device).values

    @cached_property
    def _residual(self) -> Float[Tensor, "*batch points channels"]:
        """Return the values seen, less the prior's mean."""
        values = self.observed.values.double()
        mean = self.prior.mean_on(self.observed.on)
        if mean is None:
            return values
        if mean.channels != self.observed.channels:
            raise ValueError(
                f"The prior's mean has {mean.channels} channels, the observations have "
                f"{self.observed.channels}. Give both the same number."
            )
        return values - mean.values.to(values)

    def _whitened(self, on: Discretisation) -> Float[Tensor, "*batch points others"]:
        cross = self.prior.covariance(self.observed.on, on).to(self._cholesky)  # (m, points)
        return torch.linalg.solve_triangular(self._cholesky, cross, upper=False)

    def _gain(self, on: Discretisation) -> Float[Tensor, "*batch others points"]:
        root = self._cholesky
        return torch.linalg.solve_triangular(root.mT, self._whitened(on), upper=True).mT

    def _as_observed(self, on: Discretisation, values: Tensor) -> Function:
        return Function(on, values.to(self.observed.values))


def cholesky(
    covariance: Float[Tensor, "*batch points points"], complaint: str
) -> Float[Tensor, "*batch points points"]:
    r"""Return the lower triangular :math:`L` with :math:`L L^T` the covariance.

    Args:
        covariance: symmetric matrices, float64.
        complaint: what to say if one is not positive.

    Raises:
        ValueError: with the complaint, if a pivot is not above what rounding leaves of zero.

    Example:
        >>> cholesky(torch.eye(2) * 4.0, "")
        tensor([[2., 0.],
                [0., 2.]])
    """
    root, failed = torch.linalg.cholesky_ex(covariance)
    scale = covariance.diagonal(dim1=-2, dim2=-1).amax(-1, keepdim=True)
    rounding = covariance.shape[-1] * torch.finfo(covariance.dtype).eps * scale
    pivots = root.diagonal(dim1=-2, dim2=-1).square()
    if bool(failed.any()) or not bool((pivots > rounding).all()):
        raise ValueError(complaint)
    return root
