r"""Perfect networks: what an oracle's network would say, for each parameterisation.

A parameterisation's target is linear in signal, noise and data, so the network that minimises the
mean square gives the target of the conditional means.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import instance
from inftydiff.operators import Function, Grid, Identity
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import (
    CleanPrediction,
    Denoiser,
    Parameterisation,
    Prediction,
    TimeDependentSignal,
)
from inftydiff.processes.denoiser import asked, check_denoiser
from inftydiff.processes.spectra import multiplier_of, scale_modes

__all__ = ["PerfectModel"]


@final
@dataclass(frozen=True, eq=False)
class PerfectModel:
    r"""A network that cannot be bettered, made by ``as_model`` of an oracle.

    On a grid it gives for :math:`x_0` the function whose image under :math:`S` on that grid is the
    signal. That is the conditional mean of :math:`x_0` if the data have no modes above the grid's.

    Args:
        denoiser: the oracle.
        predict: what the network predicts.
    """

    denoiser: Denoiser
    predict: Parameterisation

    def __post_init__(self) -> None:
        check_denoiser(self.denoiser)
        instance(self.predict, Parameterisation, "predict", "Pass NoisePrediction(), say.")

    def __call__(self, x_t: Function, t: Float[Tensor, "batch"]) -> Function:
        """The network's output.

        Args:
            x_t: states, values of shape ``(batch, points, channels)``.
            t: their times, of shape ``(batch,)``.

        Raises:
            ValueError: if the network predicts x0, which has no values at the points.
        """
        schedule = self.denoiser.process.schedule
        prediction = asked(self.denoiser, x_t, t)
        clean = self._clean(prediction)
        if clean is None:
            if isinstance(self.predict, CleanPrediction):
                raise ValueError(
                    "The data have no values off a lattice, so a network cannot predict them "
                    f"there; got {type(x_t.on).__name__}. Predict the noise, or ask on a Grid."
                )
            clean = prediction.signal
        return self.predict.target(
            signal=prediction.signal,
            noise=prediction.noise,
            clean=clean,
            alpha=schedule.alpha(t.double()),
            sigma=schedule.sigma(t.double()),
        )

    def _clean(self, prediction: Prediction) -> Function | None:
        signal, S = prediction.signal, self.denoiser.process.signal
        if isinstance(S, TimeDependentSignal | Identity) or not isinstance(signal.on, Grid):
            return prediction.clean
        spectrum = eigenbasis(signal.on.domain).eigenvalues(signal.on.shape, signal.values.device)
        factors = multiplier_of(S)(spectrum)
        inverse = torch.where(factors == 0.0, 0.0, 1.0 / factors)
        return scale_modes(signal, inverse.expand(signal.batch[0], *signal.on.shape))
