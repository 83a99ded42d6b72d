r"""The diffusion model of latents, from which a diffusion autoencoder draws.

Latents are divided by their spread, :math:`(z - m)/s` feature by feature, in float32. They are
functions on the one-point domain, and noise is white there:
:math:`z_t = \alpha(t)\,(z - m)/s + \sigma(t)\,\xi` with a constant :math:`\beta = 0.008` for each
of 1000 steps. The network predicts :math:`\xi`, and its loss is the mean of the absolute value.

References:
    Preechakul et al., "Diffusion autoencoders", CVPR 2022, appendix A.
    Ho and Salimans, "Classifier-free diffusion guidance", 2022.
"""

from functools import partial
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from inftydiff._typing import MOST_CHANNELS, check_finite, floating, number, whole
from inftydiff.models import PriorConfig
from inftydiff.operators import Function, Grid, Point
from inftydiff.operators.linear import Field
from inftydiff.processes import (
    ConstantSchedule,
    Denoiser,
    DiffusionProcess,
    NoisePrediction,
    Solver,
    UniPC,
    WhiteNoise,
    as_denoiser,
    classifier_free,
    denoising_loss,
    recommended_timesteps,
    sample,
)
from inftydiff.processes._checks import conforming
from inftydiff.processes.sampler import check_decreasing

__all__ = ["LatentPrior"]

PLACE = Grid((), Point())
PREDICT = NoisePrediction()
RULE = UniPC()
SCHEDULE = ConstantSchedule()
TIMES = recommended_timesteps(50, RULE, SCHEDULE)


@final
class LatentPrior(nn.Module):
    """A prior over latents.

    Args:
        latent: the number of features of a latent.
        config: the sizes of the network.

    Example:
        >>> from inftydiff.models import LatentPriorConfig
        >>> prior = LatentPrior(3, LatentPriorConfig(width=8, layers=2))
        >>> generator = torch.Generator().manual_seed(0)
        >>> prior.fit(torch.randn(10, 3, generator=generator))
        >>> tuple(prior.sample(batch=2, generator=generator).shape)
        (2, 3)
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, latent: int, config: PriorConfig) -> None:
        super().__init__()
        self.latent = whole(latent, "The number of features of a latent", most=MOST_CHANNELS)
        self.config = conforming(config, PriorConfig, "config", "Pass LatentPriorConfig().")
        self.network = config.build(latent)
        self.process = DiffusionProcess.white(SCHEDULE, noise=WhiteNoise())
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("spread", torch.zeros(latent))

    def fit(self, latents: Float[Tensor, "samples features"]) -> None:
        """Take the mean and the standard deviation of latents, by which others are divided.

        Args:
            latents: at least two latents, of shape ``(samples, features)``.

        Raises:
            ValueError: if there are fewer than two, or a feature is the same in all of them.
        """
        features = self.latent
        check_finite(floating(latents, "Latents"), "Latents")
        if latents.ndim != 2 or latents.shape[1] != features:
            raise ValueError(
                f"Latents have the shape (samples, {features}); got {tuple(latents.shape)}."
            )
        if len(latents) < 2:
            raise ValueError(f"A spread takes at least two latents; got {len(latents)}.")
        latents = latents.float()
        spread, mean = torch.std_mean(latents, 0)
        if not bool((spread > 0.0).all()):
            raise ValueError(
                f"{int((spread == 0.0).sum())} features of the latents are the same in all samples."
                " Train the encoder for longer, or make the latent smaller."
            )
        self.mean.copy_(mean)
        self.spread.copy_(spread)

    @property
    def fitted(self) -> bool:
        """Whether the spread of the latents is known."""
        return bool((self.spread > 0.0).all())

    def normalise(self, z: Float[Tensor, "batch features"]) -> Float[Tensor, "batch features"]:
        """Latents less their mean, over their spread."""
        if floating(z, "Latents").shape[-1:] != self.mean.shape or z.ndim != 2:
            raise ValueError(
                f"Latents have the shape (batch, {len(self.mean)}); got {tuple(z.shape)}."
            )
        return (z.float() - self.mean) / self.spread

    def loss(
        self,
        z: Float[Tensor, "batch features"],
        t: Float[Tensor, "batch"],
        *,
        condition: Float[Tensor, "batch conditions"] | None = None,
        known: Bool[Tensor, "batch"] | None = None,
        generator: torch.Generator | None = None,
        noise: Field | None = None,
    ) -> Float[Tensor, "batch"]:
        """The mean absolute error of the predicted noise, one number a sample.

        Args:
            z: latents, not yet normalised.
            t: times in [0, 1], of shape ``(batch,)``.
            condition: what each of them is conditioned on.
            known: whether the condition of each is shown to the network.
            generator: the source of the noise.
            noise: the white noise itself, drawn before.
        """
        x0 = Function(PLACE, self.normalise(z).unsqueeze(1))
        return denoising_loss(
            as_denoiser(
                self.process, partial(self.network, latent=condition, known=known), predict=PREDICT
            ),
            x0,
            t,
            error="absolute",
            generator=generator,
            noise=noise,
        )

    def denoiser(
        self,
        condition: Float[Tensor, "batch conditions"] | None = None,
        *,
        guidance: float = 1.0,
    ) -> Denoiser:
        """The network as a denoiser of normalised latents.

        Args:
            condition: what each sample is conditioned on.
            guidance: the strength of the condition: 1 samples the conditional law, more than 1
                moves away from the unconditional one.

        Raises:
            ValueError: if there is a guidance and no condition.
        """
        guidance = number(guidance, "guidance")
        if condition is not None:
            floating(condition, "A condition, unless None,")
        if condition is None and guidance != 1.0:
            raise ValueError(
                f"A guidance strengthens a condition, and none is given; got guidance={guidance}."
            )

        def of(features: Tensor | None) -> Denoiser:
            network = partial(self.network, latent=features)
            return as_denoiser(self.process, network, predict=PREDICT)

        if condition is None or guidance == 1.0:
            return of(condition)
        return classifier_free(of(condition), of(None), strength=guidance)

    @torch.no_grad()
    def sample(
        self,
        *,
        batch: int,
        generator: torch.Generator,
        condition: Float[Tensor, "batch conditions"] | None = None,
        guidance: float = 1.0,
        solver: Solver = RULE,
        times: Float[Tensor, "times"] = TIMES,
    ) -> Float[Tensor, "batch features"]:
        """Draw latents.

        Args:
            batch: how many.
            generator: the source of randomness.
            condition: what each is conditioned on.
            guidance: the strength of the condition.
            solver: the solver.
            times: decreasing times from 1 to 0; by default 50 steps in the spacing for ``UniPC``.

        Raises:
            ValueError: if the prior has not been fitted to latents, the condition has another
                shape, or there is a guidance and no condition.
            TypeError: if a condition is given to a prior without one.
        """
        if not self.fitted:
            raise ValueError(
                "This prior has not been trained: it does not know the spread of the latents. "
                "Train it by `inftydiff train-prior`, or give latents."
            )
        conforming(solver, Solver, "A solver", "Pass UniPC(), say.")
        check_decreasing(times)
        start = self.process.draw_noise(
            PLACE,
            batch=batch,
            channels=self.latent,
            generator=generator,
            dtype=self.mean.dtype,
            device=self.mean.device,
        ) * float(self.process.schedule.sigma(torch.ones((), dtype=torch.float64)))
        z = sample(
            solver,
            self.denoiser(condition, guidance=guidance),
            on=PLACE,
            times=times,
            batch=batch,
            channels=self.latent,
            generator=generator,
            start=start,
        )
        return z.values.squeeze(1) * self.spread + self.mean
