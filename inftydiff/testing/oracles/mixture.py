r"""The oracle of mixtures of Gaussians: data with modes, whose denoiser is nonlinear and known.

For :math:`x_0 \sim \sum_j w_j\,\mathcal N(\mu_j, C_j)`, one component for all points and channels
of a sample, the conditional means are those of the components, weighted by their responsibilities:

.. math:: E[\,\cdot\,|x_t] = \sum_j r_j(x_t)\,E_j[\,\cdot\,|x_t], \qquad
          r_j(x_t) = \frac{w_j\,p_j(x_t)}{\sum_i w_i\,p_i(x_t)},

with :math:`p_j` the density of the values of :math:`x_t`, were the data all of component :math:`j`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, entries, generator_for, number
from inftydiff.operators import Function
from inftydiff.operators.discretisation import Discretisation
from inftydiff.processes import DiffusionProcess, GaussianMeasure, Parameterisation, Prediction
from inftydiff.processes._checks import a_place, samples
from inftydiff.processes._normals import normals
from inftydiff.processes.diffusion import check_process
from inftydiff.processes.gaussian import a_measure
from inftydiff.testing.oracles.gaussian import GaussianDenoiser
from inftydiff.testing.oracles.model import PerfectModel

__all__ = ["MixtureDenoiser"]


@final
@dataclass(frozen=True, eq=False)
class MixtureDenoiser:
    r"""The exact denoiser of a mixture of Gaussian measures, on any discretisation.

    The responsibilities are computed from log densities. A mode of which rounding leaves nothing in
    the values of a state does not count in them.

    Args:
        process: a process with spectral operators.
        weights: the probabilities :math:`w_j` of the components, above zero and one in sum.
        components: the measures :math:`\mathcal N(\mu_j, C_j)`, each with a spectral factor; their
            means live where the states are asked for, or on their grid.

    Raises:
        ValueError: if the weights are no probabilities, or not one a component.
        TypeError: if an operator is not spectral.

    Example:
        >>> from inftydiff import CosineSchedule, Grid, WhiteNoise, gaussian_mollifier
        >>> grid, T = Grid((8,)), gaussian_mollifier(0.1)
        >>> one = Function(grid, torch.ones(8, 1))
        >>> up, down = (GaussianMeasure(sign * one, T, WhiteNoise(0.1)) for sign in (1.0, -1.0))
        >>> process = DiffusionProcess.white(CosineSchedule())
        >>> oracle = MixtureDenoiser(process, (0.75, 0.25), (up, down))
        >>> x_t, t = Function(grid, torch.zeros(1, 8, 1)), torch.tensor([0.5])
        >>> oracle.responsibilities(x_t, t)
        tensor([[0.7500, 0.2500]], dtype=torch.float64)
    """

    process: DiffusionProcess
    weights: Sequence[Real]
    components: Sequence[GaussianMeasure]
    _oracles: tuple[GaussianDenoiser, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_process(self.process)
        weights = tuple(
            number(w, "A mixture's weight") for w in entries(self.weights, "A mixture's weights")
        )
        for part in entries(self.components, "A mixture's components"):
            a_measure(part, "A mixture's component")
        if len(weights) != len(self.components) or not weights:
            raise ValueError(
                f"A mixture has one weight a component; got {len(weights)} weights for "
                f"{len(self.components)} components."
            )
        if not all(w > 0.0 for w in weights) or not math.isclose(sum(weights), 1.0, abs_tol=1e-9):
            raise ValueError(f"A mixture's weights are above 0 and add up to 1; got {weights}.")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "components", tuple(self.components))
        oracles = tuple(GaussianDenoiser(self.process, part) for part in self.components)
        object.__setattr__(self, "_oracles", oracles)

    def __call__(self, x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
        """The conditional means of signal, noise and data, given states.

        Args:
            x_t: the states, values of shape ``(batch, points, channels)``.
            t: their times, of shape ``(batch,)``.

        Returns:
            A prediction in the dtype of the states; ``clean`` is None where the data have no
            values.

        Raises:
            ValueError: if the batch is not that of the times, a time is outside [0, 1], a mean or
                the noise has no values on the discretisation, or a covariance is not positive.
        """
        shares = self.responsibilities(x_t, t).unbind(-1)
        parts = [oracle(x_t, t) for oracle in self._oracles]
        cleans = [part.clean for part in parts if part.clean is not None]
        return Prediction(
            _combined([part.signal for part in parts], shares),
            _combined([part.noise for part in parts], shares),
            _combined(cleans, shares) if len(cleans) == len(parts) else None,
        )

    def responsibilities(
        self, x_t: Function, t: Float[Tensor, "batch"]
    ) -> Float[Tensor, "batch components"]:
        """The probabilities of the components given states, in float64.

        Args:
            x_t: the states, values of shape ``(batch, points, channels)``.
            t: their times, of shape ``(batch,)``.

        Raises:
            ValueError: as calling it.
        """
        return self._log_joint(x_t, t).softmax(-1)

    def log_density(self, x_t: Function, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        r"""The log density of states, up to a number that depends on the discretisation alone.

        It is differentiable, and :math:`E[N\xi|x_t] = -\sigma C\nabla\log p(x_t)`.

        Args:
            x_t: the states, values of shape ``(batch, points, channels)``.
            t: their times, of shape ``(batch,)``.

        Raises:
            ValueError: as calling it.
        """
        return self._log_joint(x_t, t).logsumexp(-1)

    def as_model(self, predict: Parameterisation) -> PerfectModel:
        """Return the perfect network that predicts one of them.

        Args:
            predict: what it predicts.

        Returns:
            A callable ``(x_t, t) -> Function``, of which ``as_denoiser`` makes this oracle again.
        """
        return PerfectModel(self, predict)

    def sample_data(
        self, on: Discretisation, *, batch: int, channels: int, generator: torch.Generator
    ) -> Function:
        """Draw data of this law; the first half of a batch is a batch of half the size.

        Args:
            on: where the data are wanted.
            batch: the number of samples.
            channels: the number of channels.
            generator: the source of randomness.

        Raises:
            ValueError: as ``sample`` of the measures.
        """
        a_place(on)
        batch = samples(batch)
        generator_for(generator, "MixtureDenoiser.sample_data")
        seed = torch.randint(0, 2**63 - 1, (), generator=generator, device=generator.device)
        drawn = normals(int(seed), batch=batch, channels=1, counts=(1,), device=generator.device)
        ends = torch.tensor(self.weights, dtype=drawn.dtype, device=drawn.device).cumsum(0)[:-1]
        chosen = torch.searchsorted(ends, torch.special.ndtr(drawn.flatten()), right=True)
        drawn_of = [
            part.sample(on, batch=batch, channels=channels, generator=generator)
            for part in self.components
        ]
        shares = torch.nn.functional.one_hot(chosen, len(self.components)).unbind(-1)
        return _combined(drawn_of, shares)

    def _log_joint(self, x_t: Function, t: Tensor) -> Float[Tensor, "batch components"]:
        floor = torch.stack([part.resolution(x_t, t) for part in self._oracles]).amax(0)
        densities = [part.log_density_above(x_t, t, floor) for part in self._oracles]
        log_weights = torch.tensor(self.weights, dtype=torch.float64, device=floor.device).log()
        return torch.stack(densities, -1) + log_weights


def _combined(parts: Sequence[Function], shares: Sequence[Tensor]) -> Function:
    total = parts[0] * shares[0]
    for part, share in zip(parts[1:], shares[1:], strict=True):
        total = total + part * share
    return total
