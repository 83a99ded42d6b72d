r"""∞-Diff: an encoder, a network, a diffusion process and a latent prior, as one model.

Training minimises the denoising loss on a random part of the coordinates; sampling runs the reverse
process on any grid and undoes the mollifier by a Wiener filter that keeps constants,
:math:`(1 + \rho^2)\,G/(G^2 + \rho^2)`.

A model with latents is a *diffusion autoencoder*: the encoder reads a function :math:`x_0` at some
points, the network is modulated by its latent :math:`z`, and the two are trained together. Its
samples are decoded from latents that the *prior* draws: a diffusion model of the latents, divided
by their mean and standard deviation, with white noise on the one-point domain. A model without
latents is the diffusion model alone.

References:
    Bond-Taylor and Willcocks, "∞-Diff: Infinite resolution diffusion with subsampled mollified
    states", ICLR 2024.
    Preechakul et al., "Diffusion autoencoders", CVPR 2022.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import floating, generator_for, instance, number, positive, whole
from inftydiff.models import Capabilities, DiagonalGaussian, TiledNetwork, capabilities_of, tiled
from inftydiff.operators import Function, Grid, Identity, LinearOperator, Subset, wiener_inverse
from inftydiff.operators.linear import Field
from inftydiff.pipelines._decoded_model import DecodedModel
from inftydiff.pipelines._latent_prior import LatentPrior
from inftydiff.pipelines.config import (
    LARGEST,
    MOST_CELLS,
    InftyDiffConfig,
    build_encoder,
    build_network,
)
from inftydiff.pipelines.range_projection import range_projection
from inftydiff.processes import (
    CleanPrediction,
    Denoiser,
    TimeDependentSignal,
    as_denoiser,
    denoising_loss,
)
from inftydiff.processes._checks import a_function, samples, states
from inftydiff.processes.denoiser import check_shape

__all__ = ["InftyDiff"]


@final
class InftyDiff(DecodedModel):
    """A generative model of functions.

    Args:
        config: the components that it is built from.

    Attributes:
        network: the network.
        process: the diffusion process.
        predict: what the network predicts.
        encoder: the encoder of a model with latents, or None.
        prior: the diffusion model of the latents, or None.
        compute_dtype: the precision that the network and the encoder compute in, by automatic mixed
            precision, such as ``torch.bfloat16``; None for that of the parameters. All else stays
            in the precision of its input.

    Raises:
        TypeError: if the configuration is another thing, or a component builds one.
        ValueError: if a component refuses the domain, the channels or the latents.

    Example:
        >>> from inftydiff import timesteps
        >>> from inftydiff.pipelines import preset
        >>> model = InftyDiff(preset("tiny", resolution=16))
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = model.sample(on=model.grid(8), batch=2, generator=generator, times=timesteps(2))
        >>> tuple(x.to_image().shape)
        (2, 3, 8, 8)
    """

    def __init__(self, config: InftyDiffConfig) -> None:
        instance(config, InftyDiffConfig, "config", "Make one by preset(name), say.")
        super().__init__(config)
        self.compute_dtype: torch.dtype | None = None
        self.network = build_network(config)
        self.process = config.process.build(config.domain)
        self.predict = config.predict
        latent = config.latent
        self.encoder = None if latent is None else build_encoder(config, latent)
        self.prior = (
            None if latent is None or config.prior is None else LatentPrior(latent, config.prior)
        )

    @property
    def capabilities(self) -> Capabilities:
        """The domains, inputs and lengths of the network, as it states them."""
        return capabilities_of(self.network)

    @property
    def resolution(self) -> int:
        """The cells along the longest side of the grid that the model was made for.

        Those that it was trained on, if the configuration says so; else those whose side is the
        network's finest length; else 64.
        """
        cell, longest = self.capabilities.cell, max(self.config.domain.lengths, default=1.0)
        return self.config.training_resolution or (
            64 if cell is None else max(1, round(longest / cell))
        )

    def forward(
        self,
        x: Function,
        t: Float[Tensor, "batch"],
        *,
        latent: Float[Tensor, "batch features"] | None = None,
    ) -> Function:
        """The network's prediction for states at times in [0, 1].

        Raises:
            TypeError: if an argument is of another kind, or the network answers with no function.
            ValueError: if the network answers on other points, or with other channels.
        """
        a_function(x, "The functions, x,")
        floating(t, "Times")
        if latent is not None:
            floating(latent, "Latents, unless None,")
        with self._precision():
            return self._answer(self.network, x, t, latent)

    def grid(self, size: int | tuple[int, ...]) -> Grid:
        """A grid on the model's domain.

        Args:
            size: the cells along the longest side, the cells being as nearly square as can be; or
                the cells along each axis, rows first.

        Raises:
            ValueError: if a number of cells is below one.
        """
        if not isinstance(size, Sequence) or isinstance(size, str | bytes):
            cells = whole(size, "A grid's size", most=MOST_CELLS)
            lengths = self.config.domain.lengths
            longest = max(lengths, default=1.0)
            size = tuple(max(1, round(cells * side / longest)) for side in lengths)
        return Grid(size, self.config.domain)

    def loss(
        self,
        x0: Function,
        t: Float[Tensor, "batch"],
        *,
        at: Subset | None = None,
        seen: Function | None = None,
        generator: torch.Generator | None = None,
        noise: Field | None = None,
        latent_noise: Float[Tensor, "batch features"] | None = None,
    ) -> Float[Tensor, "batch"]:
        """The denoising loss, one number a sample; see :func:`denoising_loss`.

        That of a model with a variational encoder has the latents' divergence added.

        Args:
            x0: clean functions on a full grid of the model's domain.
            t: times in [0, 1], of shape ``(batch,)``.
            at: the points to train on; by default all.
            seen: what the encoder sees, the clean functions at points of their own; by default
                ``x0``.
            generator: the source of the noise.
            noise: the white noise itself, drawn before; no generator is needed then.
            latent_noise: standard normals for a variational encoder; without them the mean of the
                latents is taken.

        Raises:
            ValueError: if the functions live on another domain, a model without latents is given
                something to see, or as :func:`denoising_loss`.
        """
        a_function(x0, "The clean functions, x0,")
        if latent_noise is not None:
            self._check_latent(latent_noise, *x0.batch[:1])
        if x0.on.domain != self.config.domain:
            raise ValueError(
                f"This model's functions live on {self.config.domain}; got {x0.on.domain}."
            )
        if self.encoder is None and seen is not None:
            raise ValueError("A model without latents has no encoder; leave out seen=.")
        if at is not None and not self.capabilities.subsets:
            raise ValueError(
                f"{self._network_name} reads whole grids, and is trained on them; leave out at=, "
                "the points."
            )
        code: DiagonalGaussian | None = None
        if self.encoder is not None:
            if seen is not None:
                a_function(seen, "What the encoder sees, unless None,")
            with self._precision():
                code = self.encoder(x0 if seen is None else seen)
        latent = None if code is None else code.at(latent_noise)
        loss = denoising_loss(
            as_denoiser(self.process, partial(self.forward, latent=latent), predict=self.predict),
            x0,
            t,
            at=at,
            generator=generator,
            noise=noise,
        )
        if code is None or self.config.kl_weight is None:
            return loss
        return loss + self.config.kl_weight * code.divergence()

    def denoiser(
        self,
        latent: Float[Tensor, "batch features"] | None = None,
        *,
        tile: int | tuple[int, int] | None = None,
    ) -> Denoiser:
        """The network as a denoiser, clipped and projected as the configuration says.

        Args:
            latent: the latents of the samples, for a model that has them.
            tile: the points along a tile's sides, if the network is to be evaluated tile by tile,
                without gradients; see :func:`~inftydiff.models.tiled`.

        Raises:
            TypeError: if latents are given to a model that has none, or there are tiles and the
                network cannot be evaluated in tiles.
        """
        if latent is not None:
            self._check_latent(latent)
        config = self.config
        network = partial(self.forward, latent=latent)
        if tile is not None:
            network = partial(self._by_tiles, tiled(self.network, tile), latent=latent)
        denoiser = as_denoiser(self.process, network, predict=self.predict, clip=config.clip)
        within = config.predict == CleanPrediction()  # S of an estimate is in the range of S
        if config.range_floor is None or not self._mollifies or within:
            return denoiser
        return range_projection(denoiser, floor=config.range_floor)

    @torch.no_grad()
    def encode(self, x: Function) -> Float[Tensor, "batch features"]:
        r"""The latents of functions; a variational encoder's means.

        Args:
            x: clean functions :math:`x_0` on a grid, a subset of one or scattered points of the
                model's domain, with values of shape ``(batch, points, channels)``.

        Raises:
            ValueError: if the model has no latents, or the encoder cannot read ``x``.
        """
        if self.encoder is None:
            raise ValueError(
                "This model has no encoder: its network takes no latent. Train one with a latent, "
                "as by --latent."
            )
        self._check_functions(x)
        with self._evaluating(), self._precision():
            mean: Tensor = self.encoder(x).mean
            return mean

    def draw_latents(
        self,
        *,
        batch: int,
        generator: torch.Generator,
        condition: Float[Tensor, "batch conditions"] | None = None,
        guidance: float = 1.0,
    ) -> Float[Tensor, "batch features"] | None:
        """Latents from the prior; none for a model without latents.

        Args:
            batch: how many.
            generator: the source of randomness.
            condition: what each is conditioned on, such as its class as zeros and a one, of shape
                ``(batch, conditions)``; without it, latents of any kind.
            guidance: the strength of the condition: 1 draws from the conditional law, more than 1
                moves away from the unconditional one.

        Raises:
            ValueError: if the model has latents and no prior, or one that has not been trained;
                if the condition has another shape, or there is nothing that it could condition.
            TypeError: if a condition is given to a prior without one.
        """
        guidance = number(guidance, "guidance")
        if condition is not None:
            floating(condition, "A condition, unless None,")
        samples(batch)
        generator_for(generator, "InftyDiff.draw_latents")
        if self.encoder is None:
            if condition is not None or guidance != 1.0:
                raise ValueError(
                    "This model has no latents, and a condition is one of the latents' prior; "
                    "leave condition and guidance out."
                )
            return None
        if self.prior is None:
            raise ValueError(
                "This model has latents and no prior to draw them from. Train one by `inftydiff "
                "train-prior`, or give latents."
            )
        with self._evaluating():
            latents: Tensor = self.prior.sample(
                batch=batch, generator=generator, condition=condition, guidance=guidance
            )
            return latents

    def deconvolution(self, *, noise_to_signal: float | None = None) -> LinearOperator:
        r"""The linear map from :math:`S x_0` to :math:`x_0` that ends sampling.

        Args:
            noise_to_signal: the ratio :math:`\rho` of the Wiener filter; by default the
                configuration's.

        Returns:
            :math:`(1 + \rho^2)\,G/(G^2 + \rho^2)`, or the identity where the process does not
            mollify its data.
        """
        ratio = self.config.noise_to_signal if noise_to_signal is None else noise_to_signal
        ratio = positive(ratio, "noise_to_signal", most=LARGEST)
        if not self._mollifies:
            return Identity()
        signal = self.process.constant_signal
        return wiener_inverse(signal, noise_to_signal=ratio) * (1.0 + ratio**2)

    @property
    def _mollifies(self) -> bool:
        """True if the last state is mollified, so that the mollifier has to be undone."""
        signal = self.process.signal
        return not isinstance(signal, TimeDependentSignal | Identity)

    def _check_functions(self, x: Function) -> None:
        """Refuse what are no functions of this model's channels, with one batch axis."""
        states(x, "The functions")
        if x.channels != self.config.channels:
            raise ValueError(
                f"This model's functions have {self.config.channels} channels; got {x.channels}."
            )

    def _check_latent(self, latent: Tensor, batch: int | None = None) -> None:
        """Refuse latents of other sizes than this model's, or of another number."""
        floating(latent, "Latents")
        features = self.config.latent
        if features is None:
            raise TypeError("This model has no latents and takes no latent; leave latent out.")
        if latent.ndim != 2 or latent.shape[1] != features or batch not in (None, len(latent)):
            count = "batch" if batch is None else str(batch)
            raise ValueError(
                f"Latents of this model have the shape ({count}, {features}); got "
                f"{tuple(latent.shape)}."
            )

    def _answer(self, network: Any, x: Function, t: Tensor, latent: Tensor | None) -> Function:
        """Return the answer of the network, refusing one of another form."""
        answer = network(x, t) if latent is None else network(x, t, latent=latent)
        return check_shape(x, answer)

    @property
    def _network_name(self) -> str:
        return f"The network {type(self.network).__name__}"

    @property
    def _like(self) -> Tensor:
        """A parameter of the network, for its dtype and device."""
        return next(p for p in self.network.parameters() if p.is_floating_point())

    def _by_tiles(
        self, network: TiledNetwork, x: Function, t: Tensor, *, latent: Tensor | None
    ) -> Function:
        with self._precision():
            return self._answer(network, x, t, latent)

    def _precision(self) -> torch.autocast:
        """Automatic mixed precision, if the model computes in another than its own."""
        dtype = self.compute_dtype
        wanted = dtype is not None and self.capabilities.mixed_precision
        return torch.autocast(self._like.device.type, dtype, enabled=wanted)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Without dropout, and as before afterwards."""
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)
