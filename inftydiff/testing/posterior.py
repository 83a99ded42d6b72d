r"""Posteriors of Gaussian data given observations: the truth, and what guided samplers give.

For :math:`x_0 \sim \mathcal N(0, K)` on a grid and :math:`y = A x_0 + \tau\varepsilon`, with
:math:`M = A K A^T + \tau^2 I`,

.. math:: \mathbb E[x_0|y] = K A^T M^{-1} y, \qquad
          \mathrm{Cov}[x_0|y] = K - K A^T M^{-1} A K

by dense linear algebra. A sampler whose solver draws nothing, with the exact denoiser and a guide
that is linear in the residual, is linear in the first state and the values together. So the law of
its output is known from its runs on the standard deviations of the noise's modes, one at a time,
with :math:`y = 0`, and on the values, from zero:

.. math:: \mathbb E[x] = x(0, y), \qquad \mathrm{Var}[x] = \sum_k x(\sqrt{V_k}\,\varphi_k, 0)^2.

Modes that the data do not have are left out.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import instance
from inftydiff.operators import Function, Functionals, Grid
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import (
    Denoiser,
    DiffusionProcess,
    GaussianMeasure,
    Observation,
    Solver,
    sample,
)
from inftydiff.processes._checks import a_callable, a_grid
from inftydiff.processes.diffusion import check_process
from inftydiff.processes.gaussian import a_measure
from inftydiff.processes.sampler import check_decreasing
from inftydiff.testing.oracles import GaussianDenoiser

__all__ = ["PointwiseLaw", "exact_posterior", "functionals_matrix", "guided_output"]

PRESENT = 1e-14
"""Modes of a smaller part of the largest variance are not in the data."""


class PointwiseLaw(NamedTuple):
    """Means and variances at the points of a grid, float64.

    Args:
        mean: of shape ``(points,)``.
        variance: of shape ``(points,)``.
    """

    mean: Float[Tensor, "points"]
    variance: Float[Tensor, "points"]

    def mean_error(self, truth: "PointwiseLaw") -> float:
        """The norm of the difference of the means, over that of the true mean."""
        _a_law(truth)
        return ((self.mean - truth.mean).norm() / truth.mean.norm()).item()

    def variance_error(self, truth: "PointwiseLaw") -> float:
        """The largest difference of the variances, each as a part of the true one there."""
        _a_law(truth)
        return (self.variance / truth.variance - 1.0).abs().max().item()

    def mean_variance_error(self, truth: "PointwiseLaw") -> float:
        """The mean absolute difference of the variances, over the mean of the true ones."""
        _a_law(truth)
        return ((self.variance - truth.variance).abs().sum() / truth.variance.sum()).item()


def _a_law(truth: PointwiseLaw) -> PointwiseLaw:
    return instance(truth, PointwiseLaw, "The truth", "Take one of exact_posterior().")


def functionals_matrix(reads: Functionals) -> Float[Tensor, "m points"]:
    """The matrix of functionals of point values, float64.

    Args:
        reads: the functionals.

    Example:
        >>> from inftydiff.operators import cell_averages
        >>> functionals_matrix(cell_averages(Grid((1,)), on=Grid((2,))))
        tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """
    units = torch.eye(reads.on.size, dtype=torch.float64).unsqueeze(-1)
    return reads(Function(reads.on, units)).squeeze(-1).mT


def exact_posterior(data: GaussianMeasure, observation: Observation) -> PointwiseLaw:
    r"""The law of :math:`x_0` given an observation of one channel, by dense matrices.

    Args:
        data: the law of :math:`x_0`, without a mean.
        observation: functionals and values of shape ``(m, 1)`` or ``(1, m, 1)``.

    Raises:
        TypeError: if it is not linear.
    """
    a_measure(data, "The data")
    instance(observation, Observation, "An observation", "Make one by observe(…).")
    reads = observation.reads
    if not isinstance(reads, Functionals):
        raise TypeError(
            "The posterior is known for linear observations; got a callable. Observe by an "
            "operator."
        )
    prior = data.covariance(reads.on)
    matrix = functionals_matrix(reads)
    cross = matrix @ prior
    errors = float(observation.noise_std) ** 2 * torch.eye(len(matrix), dtype=torch.float64)
    root = torch.linalg.cholesky(cross @ matrix.mT + errors)
    whitened = torch.linalg.solve_triangular(root, cross, upper=False)
    values = observation.values.double().reshape(-1, 1)
    seen = torch.linalg.solve_triangular(root, values, upper=False)
    variance = prior.diagonal() - whitened.square().sum(0)
    return PointwiseLaw((whitened.mT @ seen).squeeze(-1), variance)


def guided_output(
    solver: Solver,
    process: DiffusionProcess,
    guide: Callable[[Denoiser, Observation], Denoiser],
    data: GaussianMeasure,
    observation: Observation,
    *,
    on: Grid,
    times: Float[Tensor, "times"],
) -> PointwiseLaw:
    r"""The law of what a guided sampler gives with the exact denoiser, read as :math:`x_0`.

    Args:
        solver: a solver that draws nothing and is linear.
        process: the process.
        guide: makes the guided denoiser of the exact one and an observation.
        data: the law of :math:`x_0`, without a mean.
        observation: values of one channel, of shape ``(m, 1)`` or ``(1, m, 1)``.
        on: the grid.
        times: the times that the sampler steps through.
    """
    check_process(process)
    a_callable(guide, "A guide", "Pass a function of (denoiser, observation).")
    a_measure(data, "The data")
    instance(observation, Observation, "An observation", "Make one by observe(…).")
    a_grid(on)
    check_decreasing(times)
    variances = data.mode_variances(on).flatten()
    modes = (variances > PRESENT * variances.max()).nonzero().squeeze(-1)
    noise = GaussianMeasure(None, process.noise_factor, process.noise)
    deviations = noise.mode_variances(on).flatten().sqrt() / on.cell_volume**0.5
    units = torch.zeros(len(modes) + 1, on.size, dtype=torch.float64)
    units[range(len(modes)), modes] = deviations[modes]
    basis = eigenbasis(on.domain)
    start = basis.synthesis(units.reshape(-1, *on.shape)).reshape(-1, on.size, 1)
    values = observation.values.double().reshape(1, -1, 1)
    silence = values.new_zeros(len(modes), *values.shape[1:])
    each = replace(observation, values=torch.cat([silence, values]))
    output = sample(
        solver,
        guide(GaussianDenoiser(process, data), each),
        on=on,
        times=times,
        batch=len(modes) + 1,
        channels=1,
        generator=torch.Generator().manual_seed(0),
        start=Function(on, start * process.schedule.sigma(times[:1].double()).item()),
    )
    found = observation.deconvolve(output).values.squeeze(-1)
    return PointwiseLaw(found[-1], found[:-1].square().sum(0))
