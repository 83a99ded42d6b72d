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

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import (
    flag,
    floating,
    generator_for,
    instance,
    number,
    positive,
    whole,
)
from inftydiff.models import Code, Encoder, MultiscaleNetwork, TiledNetwork, tiled
from inftydiff.operators import (
    Discretisation,
    Function,
    Grid,
    Identity,
    LinearOperator,
    Subset,
    wiener_inverse,
)
from inftydiff.operators.cells import coarsen, refine
from inftydiff.operators.linear import Field
from inftydiff.pipelines.config import LARGEST, MOST_CELLS, InftyDiffConfig
from inftydiff.pipelines.latents import LatentDiffusion
from inftydiff.pipelines.projection import range_projection
from inftydiff.pipelines.saved_model import SavedModel
from inftydiff.processes import (
    DDIM,
    Denoiser,
    HeunInversion,
    InversionRule,
    State,
    StepRule,
    as_denoiser,
    denoising_loss,
    invert,
    steps,
    trajectory,
)
from inftydiff.processes.checks import (
    MOST_SAMPLES,
    a_callable,
    a_function,
    a_grid,
    conforming,
    samples,
    states,
)
from inftydiff.processes.sampler import (
    Watched,
    check_decreasing,
)

__all__ = ["InftyDiff"]

MOST_OVERSAMPLE = 256
"""The most times as many cells a side that are sampled on."""

DETERMINISTIC = DDIM()
"""The step rule of sampling unless another is asked for."""

UPWARD = HeunInversion()
"""The rule of inversion unless another is asked for."""


@final
class InftyDiff(SavedModel):
    """A generative model of functions on a box.

    Args:
        config: the network, the process and the prediction.

    Attributes:
        compute_dtype: the precision that the network and the encoder compute in, by automatic mixed
            precision, such as ``torch.bfloat16``; None for that of the parameters. All else stays
            in the precision of its input.

    Example:
        >>> from inftydiff.pipelines import preset
        >>> model = InftyDiff(preset("tiny", resolution=16))
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = model.sample(on=model.grid(8), batch=2, generator=generator, times=steps(2))
        >>> tuple(x.to_image().shape)
        (2, 3, 8, 8)
    """

    def __init__(self, config: InftyDiffConfig) -> None:
        instance(config, InftyDiffConfig, "config", "Make one by preset(name), say.")
        super().__init__(config)
        self.compute_dtype: torch.dtype | None = None
        self.network = MultiscaleNetwork(config.network)
        self.process = config.build_process()
        self.predict = config.build_parameterisation()
        latent = config.network.latent
        self.encoder = (
            None
            if latent is None
            else Encoder(config.network, variational=config.kl_weight is not None)
        )
        self.prior = (
            None
            if latent is None or config.prior is None
            else LatentDiffusion(latent, config.prior)
        )

    def forward(
        self,
        x: Function,
        t: Float[Tensor, "batch"],
        *,
        latent: Float[Tensor, "batch features"] | None = None,
    ) -> Function:
        """The network's prediction for states at times in [0, 1]."""
        a_function(x, "The functions, x,")
        floating(t, "Times")
        if latent is not None:
            floating(latent, "Latents, unless None,")
        with self._precision():
            return self.network(x, t, latent=latent)

    def grid(self, size: int | tuple[int, int]) -> Grid:
        """A grid on the model's domain.

        Args:
            size: the cells along the longest side, the cells being as nearly square as can be; or
                the cells along each axis, rows first.

        Raises:
            ValueError: if a number of cells is below one.
        """
        if not isinstance(size, Sequence) or isinstance(size, str | bytes):
            cells = whole(size, "A grid's size", most=MOST_CELLS)
            size = tuple(max(1, round(cells * length)) for length in self.config.lengths)  # type: ignore[assignment]
        return Grid(size, self.config.domain)  # type: ignore[arg-type]

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
                f"This model's functions live on a box of sides {self.config.lengths}; got "
                f"{x0.on.domain.lengths}."
            )
        if self.encoder is None and seen is not None:
            raise ValueError("A model without latents has no encoder; leave out seen=.")
        code: Code | None = None
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
        """
        if latent is not None:
            self._check_latent(latent)
        config = self.config
        network = partial(self.forward, latent=latent)
        if tile is not None:
            network = partial(self._by_tiles, tiled(self.network, tile), latent=latent)
        denoiser = as_denoiser(self.process, network, predict=self.predict, clip=config.clip)
        within = config.predict == "clean"  # S of an estimate is in the range of S
        if config.range_floor is None or config.process != "mollified" or within:
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
                "as by --network.latent."
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
        if self.config.process != "mollified":
            return Identity()
        signal = self.process.constant_signal
        return wiener_inverse(signal, noise_to_signal=ratio) * (1.0 + ratio**2)

    def deconvolve(self, x: Function, *, noise_to_signal: float | None = None) -> Function:
        r"""Undo the mollifier as far as the spectrum allows, keeping constants.

        Args:
            x: estimates of :math:`S x_0` on a grid.
            noise_to_signal: the ratio of the Wiener filter; by default the configuration's.

        Returns:
            Estimates of :math:`x_0`: those given, where the process does not mollify its data.
        """
        a_function(x, "The samples")
        return self.deconvolution(noise_to_signal=noise_to_signal)(x)

    def clean(self, states: Iterable[State], *, noise_to_signal: float | None = None) -> Function:
        r"""The estimate of :math:`x_0` that a sampling run ends with.

        A network that predicts :math:`x_0` has said it at the last step: no filter has to undo the
        mollifier, and detail that the mollifier erases is not lost. Else the last state is
        deconvolved.

        Args:
            states: the states of :meth:`trajectory`, which are run through.
            noise_to_signal: the ratio of the Wiener filter, where one is needed; by default the
                configuration's.

        Returns:
            The estimate on the grid of the states, values of shape ``(batch, points, channels)``.
        """
        said: Function | None = None
        x: Function | None = None
        for state in instance(states, Iterable, "The states", "Pass those of trajectory(…)."):
            x = instance(state, State, "What a trajectory gives").x
            if state.prediction is not None:
                said = state.prediction.clean
        if x is None:
            raise ValueError("A trajectory has a state or more; got none.")
        if said is not None:
            return said
        with torch.no_grad():
            return self.deconvolve(x, noise_to_signal=noise_to_signal)

    def start(self, *, on: Discretisation, batch: int, generator: torch.Generator) -> Function:
        r"""Draw the state at :math:`t = 1`, in the dtype and on the device of the network.

        The generator may live on another device than the network; one seed is one function, on
        every grid and device.
        """
        return self.process.draw_noise(
            on,
            batch=batch,
            channels=self.config.channels,
            generator=generator,
            dtype=self._like.dtype,
            device=self._like.device,
        ) * float(self.process.schedule.sigma(torch.ones((), dtype=torch.float64)))

    def sampling_grid(self, on: Grid, oversample: int | None = None) -> Grid:
        """The grid on which samples are drawn that are wanted on another.

        Args:
            on: where they are wanted.
            oversample: into how many cells each cell is cut along every axis; by default into as
                many as make it no coarser than the grid that the network was trained on.
        """
        a_grid(on)
        if oversample is None:
            trained = self.config.trained_at or 1
            oversample = max(1, math.ceil(trained / max(on.shape) - 1e-9))
        return refine(on, whole(oversample, "oversample", most=MOST_OVERSAMPLE))

    def sample(
        self,
        *,
        on: Grid,
        batch: int,
        generator: torch.Generator,
        rule: StepRule = DETERMINISTIC,
        times: Float[Tensor, "times"] | None = None,
        start: Function | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
        condition: Float[Tensor, "batch conditions"] | None = None,
        guidance: float = 1.0,
        deconvolve: bool = True,
        oversample: int | None = None,
        tile: int | tuple[int, int] | None = None,
    ) -> Function:
        r"""Draw samples on a grid.

        A grid that is coarser than the one the network was trained on gets averages over its cells,
        as a picture has them; see :meth:`sampling_grid`. On others the values are point values.

        Args:
            on: the grid; :meth:`grid` makes one on the model's domain.
            batch: the number of samples.
            generator: the source of randomness: first of the noise, then of the latents.
            rule: the step rule.
            times: decreasing times, the first of them 1 unless a start is given; by default
                uniform, as many steps as the configuration says.
            start: the first state, on the :meth:`sampling_grid`; by default drawn from the prior by
                :meth:`start`.
            latent: the latents, of shape ``(batch, features)``; by default drawn by
                :meth:`draw_latents`.
            condition: what the latents are drawn under, as :meth:`draw_latents` takes it.
            guidance: the strength of the condition.
            deconvolve: whether to undo the mollifier.
            oversample: the refinement of the grid that samples are drawn on; 1 gives point values.
            tile: the points along a tile's sides, for samples too large for the network's features
                to be held at once: the same samples, without seams, in more time.

        Returns:
            Estimates of :math:`x_0`, or of :math:`S x_0` if they are not deconvolved, with values
            of shape ``(batch, points, channels)``.

        Raises:
            ValueError: as :func:`trajectory` and :meth:`draw_latents`, or if the samples are not
                finite.
        """
        flag(deconvolve, "deconvolve")
        states = Watched(
            self.trajectory(
                on=self.sampling_grid(on, oversample),
                batch=batch,
                generator=generator,
                rule=rule,
                times=times,
                start=start,
                latent=latent,
                condition=condition,
                guidance=guidance,
                tile=tile,
            )
        )
        if deconvolve:
            x = self.clean(states)
        else:
            for state in states:
                x = state.x
        states.check(x, "Samples")
        with torch.no_grad():
            return coarsen(x, on)

    def trajectory(
        self,
        *,
        on: Grid,
        batch: int,
        generator: torch.Generator,
        rule: StepRule = DETERMINISTIC,
        times: Float[Tensor, "times"] | None = None,
        start: Function | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
        condition: Float[Tensor, "batch conditions"] | None = None,
        guidance: float = 1.0,
        wrap: Callable[[Denoiser], Denoiser] | None = None,
        tile: int | tuple[int, int] | None = None,
    ) -> Iterator[State]:
        """Yield every state of a sampling run, none of them deconvolved; see :meth:`sample`.

        Args:
            on: the grid of the states.
            batch: the number of samples.
            generator: the source of randomness: first of the noise, then of the latents.
            rule: the step rule.
            times: decreasing times.
            start: the first state, at the first of the times.
            latent: the latents.
            condition: what the latents are drawn under, as :meth:`draw_latents` takes it.
            guidance: the strength of the condition.
            wrap: what the network's denoiser is wrapped in, such as guidance.
            tile: the sides of the tiles that the network is evaluated in.

        Raises:
            ValueError: as :func:`trajectory` and :meth:`draw_latents`, or if there are both latents
                and a condition to draw them under.
        """
        a_grid(on)
        batch = samples(batch)
        generator_for(generator, "Sampling")
        conforming(rule, StepRule, "A step rule", "Pass DDIM(), say.")
        guidance = number(guidance, "guidance")
        if wrap is not None:
            a_callable(wrap, "What wraps a denoiser, unless None,", "Pass a function of it.")
        if latent is not None:
            self._check_latent(latent, batch)
        if latent is not None and (condition is not None or guidance != 1.0):
            raise ValueError(
                "Latents are drawn under a condition or given, and not both; leave condition and "
                "guidance out."
            )
        times = steps(self.config.steps) if times is None else times
        check_decreasing(times)
        if start is not None:
            a_function(start, "The start, unless None,")
        if start is None:
            start = self.start(on=on, batch=batch, generator=generator)
        if latent is None:
            latent = self.draw_latents(
                batch=batch, generator=generator, condition=condition, guidance=guidance
            )
        denoiser = self.denoiser(latent, tile=tile)
        states = trajectory(
            rule,
            denoiser if wrap is None else wrap(denoiser),
            on=on,
            times=times,
            batch=batch,
            channels=self.config.channels,
            generator=generator,
            start=start,
        )
        with self._evaluating():
            yield from states

    def invert(
        self,
        x0: Function,
        *,
        times: Float[Tensor, "times"],
        inversion: InversionRule = UPWARD,
        latent: Float[Tensor, "batch features"] | None = None,
        tile: int | tuple[int, int] | None = None,
    ) -> Function:
        r"""Encode functions as the noise of which :meth:`sample` makes them, up in time.

        ``sample(start=…, on=x0.on, oversample=1)`` with these times, the rule ``inversion.rule``
        and the same latents goes back.

        Args:
            x0: clean functions on a full grid of the model's domain, values of shape
                ``(batch, points, channels)``; they are mollified, and then inverted.
            times: decreasing times, those that are sampled with. The last of them but one should
                have a small σ/α, as it has in ``recommended_steps``.
            inversion: the rule that goes up.
            latent: the latents, of shape ``(batch, features)``; by default, in a model that has
                them, those of the functions by :meth:`encode`.
            tile: the points along a tile's sides, as in :meth:`sample`; an encoder reads the
                functions whole.

        Returns:
            The state at the first of the times, on the grid of ``x0``.

        Raises:
            ValueError: as :func:`~inftydiff.processes.invert` and :meth:`encode`.
        """
        self._check_functions(x0)
        conforming(inversion, InversionRule, "An inversion rule", "Pass HeunInversion(), say.")
        check_decreasing(times)
        if latent is not None:
            self._check_latent(latent, x0.batch[0])
        if latent is None and self.encoder is not None:
            latent = self.encode(x0)
        with self._evaluating(), torch.no_grad():
            signal = self.process.constant_signal(x0)
            denoiser = self.denoiser(latent, tile=tile)
            return invert(inversion, denoiser, signal, times=times)

    def decode(
        self,
        latent: Float[Tensor, "batch features"],
        *,
        on: Grid,
        generator: torch.Generator,
        rule: StepRule = DETERMINISTIC,
        times: Float[Tensor, "times"] | None = None,
        start: Function | None = None,
        deconvolve: bool = True,
        oversample: int | None = None,
        tile: int | tuple[int, int] | None = None,
    ) -> Function:
        r"""Draw functions that have given latents; the arguments are those of :meth:`sample`.

        Raises:
            ValueError: as :meth:`sample`, or if the model has no latents.
        """
        if self.encoder is None:
            raise ValueError(
                "This model has no latents to decode; sample() draws from it. Call that."
            )
        self._check_latent(latent)
        return self.sample(
            on=on,
            batch=len(latent),
            generator=generator,
            rule=rule,
            times=times,
            start=start,
            latent=latent,
            deconvolve=deconvolve,
            oversample=oversample,
            tile=tile,
        )

    def reconstruct(
        self,
        x: Function,
        *,
        on: Grid,
        generator: torch.Generator,
        rule: StepRule = DETERMINISTIC,
        times: Float[Tensor, "times"] | None = None,
        tile: int | tuple[int, int] | None = None,
    ) -> Function:
        r"""Encode functions, known at any points, and decode their latents on a grid.

        What the latents do not hold is drawn anew. With a ``tile`` they are decoded tile by tile;
        the encoder reads the functions whole.

        Raises:
            ValueError: as :meth:`encode` and :meth:`decode`.
        """
        return self.decode(
            self.encode(x), on=on, generator=generator, rule=rule, times=times, tile=tile
        )

    def interpolate(
        self,
        first: Float[Tensor, "features"],
        last: Float[Tensor, "features"],
        *,
        count: int,
        on: Grid,
        generator: torch.Generator,
        rule: StepRule = DETERMINISTIC,
        times: Float[Tensor, "times"] | None = None,
        tile: int | tuple[int, int] | None = None,
    ) -> Function:
        r"""Decode the latents :math:`(1 - w)\,z_0 + w\,z_1`, all with one noise.

        Args:
            first: the latent :math:`z_0`, of shape ``(features,)``.
            last: the latent :math:`z_1`.
            count: how many, with :math:`w` from 0 to 1 in equal steps.
            on: the grid.
            generator: the source of the noise.
            rule: the step rule.
            times: decreasing times.
            tile: the points along a tile's sides, as in :meth:`sample`.

        Raises:
            ValueError: if there are fewer than two, or as :meth:`decode`.
        """
        if self.encoder is None:
            raise ValueError(
                "This model has no latents to decode; sample() draws from it. Call that."
            )
        for end in (first, last):
            self._check_latent(floating(end, "A latent").unsqueeze(0))
        if whole(count, "A number of functions", most=MOST_SAMPLES) < 2:
            raise ValueError(f"An interpolation has at least its two ends; got count={count}.")
        weights = torch.linspace(0.0, 1.0, int(count), dtype=first.dtype, device=first.device)
        start = self.start(on=self.sampling_grid(on), batch=1, generator=generator)
        return self.decode(
            torch.lerp(first, last, weights.unsqueeze(-1)),
            on=on,
            generator=generator,
            rule=rule,
            times=times,
            start=Function(start.on, start.values.expand(int(count), -1, -1)),
            tile=tile,
        )

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
        features = self.config.network.latent
        if features is None:
            raise TypeError("This model has no latents and takes no latent; leave latent out.")
        if latent.ndim != 2 or latent.shape[1] != features or batch not in (None, len(latent)):
            count = "batch" if batch is None else str(batch)
            raise ValueError(
                f"Latents of this model have the shape ({count}, {features}); got "
                f"{tuple(latent.shape)}."
            )

    @property
    def _like(self) -> Tensor:
        """A parameter of the network, for its dtype and device."""
        return next(self.network.parameters())

    def _by_tiles(
        self, network: TiledNetwork, x: Function, t: Tensor, *, latent: Tensor | None
    ) -> Function:
        with self._precision():
            return network(x, t, latent=latent)

    def _precision(self) -> torch.autocast:
        """Automatic mixed precision, if the model computes in another than its own."""
        dtype = self.compute_dtype
        return torch.autocast(self._like.device.type, dtype, enabled=dtype is not None)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Without dropout, and as before afterwards."""
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)
