r"""Linearisation of a denoiser at a state: Tweedie's formulas as operators.

With the posterior mean :math:`m(x_t) = \mathbb E[S x_0|x_t]`, its derivative :math:`J` and the
noise's covariance :math:`C`, a symmetric positive operator in the weighted inner product,

.. math:: \nabla\log p(x_t) = C^{-1}\frac{\alpha\,m(x_t) - x_t}{\sigma^2}, \qquad
          V := \mathrm{Cov}[S x_0|x_t] = \frac{\sigma^2}{\alpha}\, J\, C
             = \frac{\sigma^2}{\alpha}\, C\, J^*.

So whatever multiplies the density of the state by :math:`p(y|x_t)` adds to the mean

.. math:: m'(x_t) = m(x_t) + \frac{\sigma^2}{\alpha}\, C\,\nabla_{x_t}\log p(y|x_t),

in which neither :math:`C^{-1}` nor a resolution appears. If :math:`q(x_t)` is what an observation
reads of the denoiser's estimate and :math:`\nabla\log p(y|x_t) = (\partial q)^* z` for a vector
:math:`z`, the guidance is one pullback; guides differ in :math:`z` alone. Pullbacks reuse one
forward pass of the denoiser.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import instance
from inftydiff.operators.discretisation import Discretisation, Grid, described
from inftydiff.operators.function import Function
from inftydiff.operators.functionals import Functionals
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.processes._checks import a_grid
from inftydiff.processes.denoiser import Denoiser, asked
from inftydiff.processes.diffusion import DiffusionProcess, check_process
from inftydiff.processes.gaussian import GaussianMeasure
from inftydiff.processes.observation import Observation
from inftydiff.processes.parameterisation import Prediction
from inftydiff.processes.spectra import ComputedMultiplier

__all__ = ["Linearisation", "NoiseCovariance", "a_linearisation", "noise_covariance"]


def noise_covariance(process: DiffusionProcess, on: Grid) -> SpectralOperator:
    r"""The covariance operator :math:`C` of the noise as a grid reads it, modes folded in.

    Args:
        process: the process.
        on: the grid.
    """
    check_process(process)
    a_grid(on)
    noise = GaussianMeasure(None, process.noise_factor, process.noise)
    variances = noise.mode_variances(on)
    formula = ComputedMultiplier(lambda _: variances, variances.max().item())
    return SpectralOperator(formula)


@final
class NoiseCovariance:
    """The covariance operator of a process's noise, kept for the last grid.

    Args:
        process: the process.
    """

    def __init__(self, process: DiffusionProcess) -> None:
        self._process = process
        self._kept: tuple[Grid, SpectralOperator] | None = None

    def __call__(self, on: Discretisation) -> SpectralOperator:
        """Return the operator on a grid.

        Raises:
            ValueError: if the states do not live on a full grid.
        """
        if not isinstance(on, Grid):
            raise ValueError(
                "Guidance acts on states on a full Grid, where the noise's covariance is diagonal "
                f"in the eigenbasis; got {described(on)}. Sample on the grid, and restrict."
            )
        if self._kept is None or self._kept[0] != on:
            self._kept = on, noise_covariance(self._process, on)
        return self._kept[1]


class _Graph(NamedTuple):
    """A forward pass: the state, what is read of the estimate there, and the estimate."""

    state: Tensor
    reading: Tensor
    prediction: Prediction


@final
@dataclass(frozen=True, eq=False)
class Linearisation:
    """A denoiser and an observation, linearised at states.

    Args:
        denoiser: a differentiable denoiser.
        observation: what is known.
        covariance: the noise's covariance on the grid of the states.
        x_t: the states, values of shape ``(batch, points, channels)`` on the grid.
        t: their times, of shape ``(batch,)``.

    Raises:
        ValueError: if the observation cannot read them, or the denoiser has no gradient.
    """

    denoiser: Denoiser
    observation: Observation
    covariance: SpectralOperator
    x_t: Function
    t: Float[Tensor, "batch"]

    def __post_init__(self) -> None:
        self._graph  # noqa: B018

    @property
    def process(self) -> DiffusionProcess:
        """The process of the denoiser."""
        return self.denoiser.process

    @cached_property
    def alpha(self) -> Float[Tensor, "batch"]:
        """The amplitudes of the signal."""
        return self.process.schedule.alpha(self.t.double())

    @cached_property
    def sigma(self) -> Float[Tensor, "batch"]:
        """The amplitudes of the noise."""
        return self.process.schedule.sigma(self.t.double())

    @cached_property
    def prediction(self) -> Prediction:
        """The denoiser's estimates, without a graph."""
        found = self._graph.prediction
        parts = (found.signal, found.noise, found.clean)
        signal, noise, clean = (
            None if part is None else Function(part.on, part.values.detach()) for part in parts
        )
        assert signal is not None
        assert noise is not None
        return Prediction(signal, noise, clean)

    @cached_property
    def residual(self) -> Float[Tensor, "batch m channels"]:
        """The values observed, less what is read of the denoiser's estimate."""
        reading = self._graph.reading.detach()
        return self.observation.values.to(reading).expand_as(reading) - reading

    def pullback(self, z: Float[Tensor, "batch m channels"]) -> Function:
        r"""The function :math:`(\partial q)^* z`, a gradient in the weighted inner product.

        Args:
            z: vectors in the space of the observation.
        """
        graph = self._graph
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(graph.reading, graph.state, z, retain_graph=True)
        return Function(self.x_t.on, slope / self._cell)

    def shift(self, gradient: Function) -> Function:
        r"""Return what a log density's gradient adds to the mean: :math:`\sigma^2/\alpha\;C` of it.

        Args:
            gradient: a function on the grid.
        """
        return self.covariance(gradient) * (self.sigma**2 / self.alpha)

    def read(self, change: Function) -> Float[Tensor, "batch m channels"]:
        """Return the change of the reading with the signal, to first order: the map A D.

        Args:
            change: a change of the signal.
        """
        reads, change = self.observation.reads, self.observation.deconvolve(change)
        if isinstance(reads, Functionals):
            return reads(change)
        # the derivative of the pullback, which is linear, in its argument
        signal, reading = self._signal_graph
        with torch.enable_grad():
            weights = torch.zeros_like(reading, requires_grad=True)
            (pulled,) = torch.autograd.grad(reading, signal, weights, create_graph=True)
            (image,) = torch.autograd.grad(pulled, weights, change.values, retain_graph=True)
        return image

    def read_back(self, z: Float[Tensor, "batch m channels"]) -> Function:
        """The adjoint of :meth:`read`.

        Args:
            z: vectors in the space of the observation.
        """
        reads, back = self.observation.reads, self.observation.deconvolve.adjoint
        if isinstance(reads, Functionals):
            return back(reads.adjoint(z))
        signal, reading = self._signal_graph
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(reading, signal, z, retain_graph=True)
        return back(Function(self.x_t.on, slope / self._cell))

    @property
    def _cell(self) -> float:
        assert isinstance(self.x_t.on, Grid)
        return self.x_t.on.cell_volume

    @cached_property
    def _graph(self) -> _Graph:
        with torch.inference_mode(False), torch.enable_grad():
            state = self.x_t.values.detach().clone().requires_grad_()
            prediction = asked(self.denoiser, Function(self.x_t.on, state), self.t.clone())
            reading = self.observation.read(prediction)
        if not reading.requires_grad:
            raise ValueError(
                "Guidance differentiates the denoiser, and what is read of this one's estimate "
                "does not depend on the state: it computes without gradients, or detaches them. "
                "Call the network without torch.no_grad, and detach nothing."
            )
        return _Graph(state, reading, prediction)

    @cached_property
    def _signal_graph(self) -> tuple[Tensor, Tensor]:
        """The clean estimate and what is read of it, for a map that is not linear."""
        observation = self.observation
        clean = observation.deconvolve(self.prediction.signal)
        if observation.use_clean and self.prediction.clean is not None:
            clean = self.prediction.clean
        with torch.inference_mode(False), torch.enable_grad():
            values = clean.values.detach().clone().requires_grad_()
            return values, observation.reads(Function(clean.on, values))


def a_linearisation(at: Linearisation) -> Linearisation:
    """Return ``at``, refusing what is no linearisation.

    Raises:
        TypeError: if it is none.
    """
    return instance(at, Linearisation, "What a guide weighs", "Take one that guided() makes.")
