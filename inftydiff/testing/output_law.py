r"""The law of a sampler's output, exactly.

With the exact denoiser of Gaussian data every step of a solver is affine in the states and diagonal
in the modes of a grid, and so is the sampler. The output is Gaussian; the variance of a mode is

.. math:: v_k = \sum_i g_{ik}^2,

with :math:`g_{ik}` the response of the mode :math:`k` to one standard deviation of the noise's
draw :math:`i` (the first state is one of them), which is found by running the solver on the
impulse. If the signal operator is constant the response depends on the mode by the ratio
:math:`P_k/V_k` of the variances of :math:`S x_0` and :math:`N\xi` alone, so the solver is run once
for every ratio that
occurs: all modes with the same ratio, at any resolution, are one problem in one dimension.

Laws that are diagonal in one basis are compared mode by mode:

.. math::
   W_2^2 = \sum_k \bigl(\sqrt{v_k} - \sqrt{p_k}\bigr)^2 + \|m - \mu\|^2, \qquad
   \mathrm{KL} = \tfrac12 \sum_k \Bigl(\frac{v_k}{p_k} - 1 - \log\frac{v_k}{p_k}
   + \frac{(m_k - \mu_k)^2}{p_k}\Bigr).
"""

from dataclasses import dataclass
from typing import final, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import choice, floating
from inftydiff.operators import Function, Grid, Identity
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Discretisation
from inftydiff.processes import (
    DiffusionProcess,
    GaussianMeasure,
    Schedule,
    Solver,
    TimeDependentSignal,
)
from inftydiff.processes._checks import a_place, conforming
from inftydiff.processes.diffusion import check_process
from inftydiff.processes.gaussian import a_measure
from inftydiff.processes.sampler import check_decreasing
from inftydiff.processes.schedule import check_schedule
from inftydiff.processes.spectra import scale_modes
from inftydiff.testing._mode_runs import Start, distinct, gains
from inftydiff.testing.oracles._joint import ModalLaw, joint_law

__all__ = ["OutputLaw", "output_law", "variance_gain"]


@final
@dataclass(frozen=True, eq=False)
class OutputLaw:
    """The law of a sampler's output beside the law that it should have, both Gaussian.

    Both have independent coefficients in the grid's eigenbasis, with the same variances in all
    channels. Coefficients are those of the values times the root of the cell volume, so their
    squares add up to the squared norm.

    Args:
        on: the grid.
        variances: the variances of the output's coefficients, of shape ``(*shape)``, float64.
        mean: the output's mean, with values of shape ``(points, channels)``, or None for zero.
        data_variances: the variances that they should have: those of the law at the last time,
            which at time zero is that of S x0.
        data_mean: the mean that it should have, or None for zero.
    """

    on: Grid
    variances: Float[Tensor, "*shape"]
    mean: Function | None
    data_variances: Float[Tensor, "*shape"]
    data_mean: Function | None

    def wasserstein_to_data(self) -> Float[Tensor, "channels"]:
        r"""The distance :math:`W_2` of each channel's law to that of the data, float64.

        Returns:
            A tensor of shape ``(channels,)``, or ``(1,)`` if there is no mean.
        """
        squares = (self.variances.sqrt() - self.data_variances.sqrt()).square().sum()
        return (squares + self._difference().square().sum(-1)).sqrt()

    def kl_to_data(self) -> Float[Tensor, "channels"]:
        """The divergence KL(output, data) of each channel's law, float64.

        Infinite if the output varies, or its mean differs, where the data do not vary.

        Returns:
            A tensor of shape ``(channels,)``, or ``(1,)`` if there is no mean.
        """
        p, v = self.data_variances.flatten(), self.variances.flatten()
        difference = self._difference()
        positive, none = torch.ones_like(p), (p == 0.0) & (v == 0.0)
        ratio = torch.where(none, positive, v / p)
        shift = torch.where(difference == 0.0, 0.0, difference.square() / p)
        return 0.5 * ((ratio - 1.0 - ratio.log()).sum() + shift.sum(-1))

    def rms(self) -> Float[Tensor, "channels"]:
        r"""The data's root mean square norm, :math:`(\sum_k p_k + \|\mu\|^2)^{1/2}`, by channel."""
        mean = _modes_of(self.data_mean, self.on)
        return (self.data_variances.sum() + mean.square().sum(-1)).sqrt()

    def _difference(self) -> Float[Tensor, "channels modes"]:
        return _modes_of(self.mean, self.on) - _modes_of(self.data_mean, self.on)


def output_law(
    solver: Solver,
    process: DiffusionProcess,
    data: GaussianMeasure,
    *,
    on: Discretisation,
    times: Float[Tensor, "times"],
    start: Start = "noise",
) -> OutputLaw:
    r"""The law of what ``sample`` gives with the exact denoiser of Gaussian data.

    Args:
        solver: a solver that is linear in the state if the denoiser is, with or without memory.
            One that chooses its steps by the state is, for the steps that it takes.
        process: a process with spectral operators.
        data: the law of :math:`x_0`, with a spectral factor; a mean lives on the grid.
        on: a full grid.
        times: the times that the sampler steps through, such as ``timesteps(100)``.
        start: ``"noise"`` to begin with :math:`\sigma N\xi`, as samplers do, or ``"marginal"`` with
            the law of the process at the first time, so that all errors are the steps'.

    Raises:
        TypeError: if an operator is not spectral.
        ValueError: if the functions do not live on a full grid, the data or the noise have one law
            a sample, or ``sample`` refuses the times.

    Example:
        >>> from inftydiff import CosineSchedule, DDIM, WhiteNoise, gaussian_mollifier, timesteps
        >>> T = gaussian_mollifier(1 / 32)
        >>> process = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(1 / 32))
        >>> data = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
        >>> for n in (10, 100):
        ...     law = output_law(DDIM(), process, data, on=Grid((64, 64)), times=timesteps(n))
        ...     print(f"{(law.wasserstein_to_data() / law.rms()).item():.4f}")
        0.7213
        0.1397
    """
    _check_run(solver, times, start)
    check_process(process)
    a_measure(data, "The data")
    a_place(on)
    if not isinstance(on, Grid):
        raise ValueError(
            f"The law of an output is diagonal on a full Grid; got {type(on).__name__}. Sample on "
            "the grid, and restrict."
        )
    family = process.signal if isinstance(process.signal, TimeDependentSignal) else None
    law = joint_law(process, data, Identity() if family else process.signal_at(times[:1]), on)
    assert isinstance(law, ModalLaw)
    if law.signal.ndim > on.dim or law.noise.ndim > on.dim:
        raise ValueError(
            "The law of an output is that of one sample; the data's or the noise's factor has one "
            "scale a sample. Take a factor with one scale."
        )
    spectrum = eigenbasis(on.domain).eigenvalues(on.shape).flatten()
    problem = distinct(law.signal.flatten(), law.noise.flatten(), spectrum if family else None)
    found = gains(solver, process, problem, times, start, data.mean is not None)
    variances = (found.variances[problem.place] * problem.scale).reshape(on.shape)
    last = times[-1:].double()
    alpha, sigma = (amplitude.reshape(-1) for amplitude in process.amplitudes(last, on))
    wanted = alpha**2 * law.signal.flatten() + sigma**2 * law.noise.flatten()
    mean, wanted_mean = None, None
    if data.mean is not None:
        source = data.mean_on(on) if family else process.signal_at(last)(data.mean)
        assert source is not None
        source = Function(on, source.values.double().reshape(1, on.size, -1))
        gain = found.mean[problem.place].reshape(1, *on.shape)
        mean = _single(scale_modes(source, gain))
        wanted_mean = _single(scale_modes(source, alpha.reshape(1, *on.shape) if family else alpha))
    return OutputLaw(on, variances, mean, wanted.reshape(on.shape), wanted_mean)


def variance_gain(
    solver: Solver,
    schedule: Schedule,
    ratios: Float[Tensor, "ratios"],
    *,
    times: Float[Tensor, "times"],
    start: Start = "noise",
) -> Float[Tensor, "ratios"]:
    r"""The output's variance of a mode, over that of the data, as a function of the mode's ratio.

    For a constant signal operator this is all that there is to know of a sampler: the law of the
    output, for any data, process and grid, has the variances :math:`v_k = P_k\,G(P_k/V_k)`. The
    function :math:`G` is rational, and smooth in the logarithm of the ratio.

    Args:
        solver: a solver, as for :func:`output_law`.
        schedule: the schedule of the process.
        ratios: the ratios :math:`P/V`, above zero.
        times: the times that the sampler steps through.
        start: as for :func:`output_law`.

    Raises:
        ValueError: if a ratio is not a finite number above zero.

    Example:
        >>> from inftydiff import CosineSchedule, DDIM, timesteps
        >>> ratios = torch.tensor([0.01, 1.0, 100.0], dtype=torch.float64)
        >>> variance_gain(DDIM(), CosineSchedule(), ratios, times=timesteps(50))
        tensor([0.7460, 0.9517, 0.7800], dtype=torch.float64)
    """
    _check_run(solver, times, start)
    check_schedule(schedule)
    floating(ratios, "Ratios of variances")
    if ratios.ndim != 1 or not len(ratios):
        raise ValueError(f"Ratios have the shape (ratios,); got {tuple(ratios.shape)}.")
    if not bool(((ratios > 0.0) & ratios.isfinite()).all()):
        raise ValueError(
            "Ratios of variances are finite and above 0; got values from "
            f"{ratios.min().item():g} to {ratios.max().item():g}."
        )
    p = ratios.double()
    process = DiffusionProcess.white(schedule)
    problem = distinct(p, torch.ones_like(p), None)
    found = gains(solver, process, problem, times, start, False)
    return found.variances[problem.place] * problem.scale / p


def _check_run(solver: Solver, times: Tensor, start: Start) -> None:
    """Refuse what is no solver, times that do not decrease, and an unknown start."""
    conforming(solver, Solver, "A solver", "Pass DDIM(), say.")
    check_decreasing(times)
    choice(start, get_args(Start), "The start")


def _modes_of(f: Function | None, on: Grid) -> Float[Tensor, "channels modes"]:
    if f is None:
        return torch.zeros(1, on.size, dtype=torch.float64)
    coefficients = eigenbasis(on.domain).analysis(f.to_image().double())
    return coefficients.reshape(f.channels, on.size) * on.cell_volume**0.5


def _single(f: Function) -> Function:
    return Function(f.on, f.values[0])
