r"""The oracle of Gaussian data: the denoiser that no network can better.

For :math:`x_0 \sim \mathcal N(\mu, FF^*)` with a spectral factor :math:`F`, and spectral :math:`S`
and :math:`N`, the conditional means of :math:`S x_0`, :math:`N\xi` and :math:`x_0`, given the
values of :math:`x_t` on a discretisation, are affine in them. On a grid, mode by mode, with the
variances :math:`P` and :math:`V` of the coefficients of :math:`S x_0` and :math:`N\xi` there,

.. math:: E[S x_0 | x_t] = S\mu + \frac{\alpha P}{\alpha^2 P + \sigma^2 V}\,(x_t - \alpha S\mu),
          \qquad
          E[N\xi | x_t] = \frac{\sigma V}{\alpha^2 P + \sigma^2 V}\,(x_t - \alpha S\mu).
"""

from dataclasses import dataclass, field, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import check_device, floating
from inftydiff.operators import Function, Grid, Identity, Scattered
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Discretisation
from inftydiff.processes import (
    DiffusionProcess,
    GaussianMeasure,
    Parameterisation,
    Prediction,
    TimeDependentSignal,
)
from inftydiff.processes._checks import one_a_sample, states
from inftydiff.processes.diffusion import check_process
from inftydiff.processes.gaussian import a_measure
from inftydiff.processes.schedule import check_times
from inftydiff.processes.spectra import multiplier_of
from inftydiff.testing.oracles._joint import JointLaw, ModalLaw, joint_law
from inftydiff.testing.oracles.model import PerfectModel

__all__ = ["GaussianDenoiser"]


@final
@dataclass(frozen=True, eq=False)
class GaussianDenoiser:
    r"""The exact denoiser of Gaussian data, an affine map for each time.

    It answers on any discretisation, given the values there: on a grid in
    :math:`O(N\log N)`, on ``n`` points of a grid or anywhere in :math:`O(n^3)`. Functions are read
    as random fields are: by their point values, all modes folded in, or, if they have none, by
    their projection on a grid's modes. If the signal operator changes with time, the data are read
    on the grid first and :math:`S_t` acts there, as it does in the process. What was computed for
    the last discretisation is kept.

    Args:
        process: a process with spectral operators.
        data: the law of :math:`x_0`, with a spectral factor. A mean lives where the states are
            asked for, or on their grid; :math:`S` acts on it there.

    Raises:
        TypeError: if an operator is not spectral.

    Example:
        >>> from inftydiff import CosineSchedule, WhiteNoise
        >>> process = DiffusionProcess.white(CosineSchedule())
        >>> denoiser = GaussianDenoiser(process, GaussianMeasure(None, Identity(), WhiteNoise()))
        >>> x_t, t = Function(Grid((4,)), torch.ones(1, 4, 1)), torch.tensor([0.5])
        >>> bool(denoiser(x_t, t).signal.values.allclose(process.schedule.alpha(t)))
        True
    """

    process: DiffusionProcess
    data: GaussianMeasure
    _laws: dict[Discretisation, JointLaw] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_process(self.process)
        a_measure(self.data, "The data")
        operators = [self.process.noise_factor, self.data.factor]
        if not isinstance(self.process.signal, TimeDependentSignal):
            operators.append(self.process.signal)
        for operator in operators:
            multiplier_of(operator)

    def __call__(self, x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
        """The conditional means of signal, noise and data, given states.

        Args:
            x_t: the states, values of shape ``(batch, points, channels)``.
            t: their times, of shape ``(batch,)``.

        Returns:
            A prediction in the dtype of the states; ``clean`` is None where the data have no
            values.

        Raises:
            ValueError: if the batch is not that of the times, a time is outside [0, 1], the mean
                or the noise has no values on the discretisation, or a covariance is not positive.
        """
        law, alpha, sigma = self._at(x_t, t)
        shift = self._shift(x_t, t)
        means = law.means(x_t if shift is None else x_t - shift * alpha, alpha, sigma)
        if shift is None:
            return Prediction(*means)
        mean = self.data.mean_on(x_t.on)
        assert mean is not None
        clean = None if means.clean is None else means.clean + _like(mean, x_t)
        return Prediction(means.signal + shift, means.noise, clean)

    def as_model(self, predict: Parameterisation) -> PerfectModel:
        """Return the perfect network that predicts one of them.

        Args:
            predict: what it predicts.

        Returns:
            A callable ``(x_t, t) -> Function``, of which ``as_denoiser`` makes this oracle again.
        """
        return PerfectModel(self, predict)

    def log_density(self, x_t: Function, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        r"""The log density of states, up to a number that depends on the discretisation alone.

        It is differentiable, and :math:`E[N\xi|x_t] = -\sigma C\nabla\log p(x_t)`. Combinations of
        the values whose variance is less than rounding are taken to have that of rounding.

        Args:
            x_t: the states, values of shape ``(batch, points, channels)``.
            t: their times, of shape ``(batch,)``.

        Raises:
            ValueError: as calling it.
        """
        return self.log_density_above(x_t, t, self.resolution(x_t, t))

    def log_density_above(
        self, x_t: Function, t: Float[Tensor, "batch"], floor: Float[Tensor, "batch"]
    ) -> Float[Tensor, "batch"]:
        """Return the log density if no variance is less than ``floor``, one number a sample.

        Raises:
            TypeError: if the floor is no floating-point tensor, or as calling it.
            ValueError: if the floor is not one number a sample, or is on another device than the
                states, or as calling it.
        """
        law, alpha, sigma = self._at(x_t, t)
        one_a_sample(floor, x_t, "The floor of the variances")
        check_device(floor.device, x_t.values.device, "A floor and states", "Move one of them.")
        shift = self._shift(x_t, t)
        x = x_t if shift is None else x_t - shift * alpha
        return law.log_density(x, alpha, sigma, floor.clamp(min=torch.finfo(floor.dtype).tiny))

    def resolution(self, x_t: Function, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        """The variance to which the states are known, for the rounding of their values."""
        law, alpha, sigma = self._at(x_t, t)
        return law.resolution(x_t, alpha, sigma)

    def sample_data(
        self, on: Discretisation, *, batch: int, channels: int, generator: torch.Generator
    ) -> Function:
        """Draw data of this law: ``sample`` of the measure.

        Args:
            on: where the data are wanted.
            batch: the number of samples.
            channels: the number of channels.
            generator: the source of randomness.
        """
        return self.data.sample(on, batch=batch, channels=channels, generator=generator)

    def _at(self, x_t: Function, t: Tensor) -> tuple[JointLaw, Tensor, Tensor]:
        states(x_t, "The states, x_t,")
        floating(t, "Times")
        if x_t.batch != tuple(t.shape) or t.ndim != 1:
            raise ValueError(
                f"There is one time a sample; got states of batch {x_t.batch} and times of shape "
                f"{tuple(t.shape)}."
            )
        check_times(t)
        t = t.double()
        place = x_t.values.device
        alpha, sigma = self.process.schedule.alpha(t), self.process.schedule.sigma(t)
        return self._law(x_t.on, t), alpha.to(place), sigma.to(place)

    def _law(self, on: Discretisation, t: Tensor) -> JointLaw:
        family = self.process.signal
        if not isinstance(family, TimeDependentSignal):
            if on not in self._laws:
                self._laws.clear()
                self._laws[on] = joint_law(self.process, self.data, family, on)
            return self._laws[on]
        if isinstance(on, Scattered):
            return joint_law(self.process, self.data, family(t), on)
        grid = on if isinstance(on, Grid) else on.grid
        if grid not in self._laws:
            self._laws.clear()
            self._laws[grid] = joint_law(self.process, self.data, Identity(), grid)
        law = self._laws[grid]
        assert isinstance(law, ModalLaw)
        spectrum = eigenbasis(grid.domain).eigenvalues(grid.shape)
        blurred = law.blurred(family.multiplier(t.cpu())(spectrum))
        return blurred if isinstance(on, Grid) else blurred.at(on)

    def _shift(self, x_t: Function, t: Tensor) -> Function | None:
        """The mean of the signal, where the states are and shaped like them."""
        mean = self.data.mean
        if mean is None:
            return None
        if isinstance(self.process.signal, TimeDependentSignal):
            mean = Function(mean.on, mean.values.expand(len(t), -1, -1))
        signal = replace(self.data, mean=self.process.signal_at(t.double())(mean))
        shift = signal.mean_on(x_t.on)
        assert shift is not None
        return _like(shift, x_t)


def _like(mean: Function, x_t: Function) -> Function:
    """The mean with the batch, the dtype and the place of the states."""
    if mean.channels != x_t.channels:
        raise ValueError(
            f"The data's mean has {mean.channels} channels; the states have {x_t.channels}. Give "
            "states of as many."
        )
    return Function(x_t.on, mean.values.to(x_t.values).expand(x_t.values.shape))
