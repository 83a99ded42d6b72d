r"""∞-Diff: a network, a diffusion process and what the network predicts, as one model.

Training minimises the denoising loss on a random part of the coordinates; sampling runs the reverse
process on any grid and undoes the mollifier by a Wiener filter that keeps constants,
:math:`(1 + \rho^2)\,G/(G^2 + \rho^2)`.

References:
    Bond-Taylor and Willcocks, "∞-Diff: Infinite resolution diffusion with subsampled mollified
    states", ICLR 2024.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import whole
from inftydiff.models import MultiscaleNetwork
from inftydiff.operators import Discretisation, Function, Grid, Subset, wiener_inverse
from inftydiff.pipelines.config import InftyDiffConfig
from inftydiff.pipelines.projection import range_projection
from inftydiff.processes import (
    DDIM,
    Denoiser,
    State,
    StepRule,
    as_denoiser,
    denoising_loss,
    sample,
    steps,
    trajectory,
)

__all__ = ["InftyDiff"]

DETERMINISTIC = DDIM()
"""The step rule of sampling unless another is asked for."""


@final
class InftyDiff(nn.Module):
    """A generative model of functions on a box.

    Args:
        config: the network, the process and the prediction.

    Example:
        >>> from inftydiff.pipelines import preset
        >>> model = InftyDiff(preset("tiny", resolution=16))
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = model.sample(on=model.grid(8), batch=2, generator=generator, times=steps(2))
        >>> tuple(x.to_image().shape)
        (2, 3, 8, 8)
    """

    def __init__(self, config: InftyDiffConfig) -> None:
        super().__init__()
        self.config = config
        self.network = MultiscaleNetwork(config.network)
        self.process = config.build_process()
        self.predict = config.build_parameterisation()

    def forward(self, x: Function, t: Float[Tensor, "batch"]) -> Function:
        """The network's prediction for states at times in [0, 1]."""
        return self.network(x, t)

    def grid(self, size: int | tuple[int, int]) -> Grid:
        """A grid on the model's domain.

        Args:
            size: the cells along the longest side, the cells being as nearly square as can be; or
                the cells along each axis, rows first.

        Raises:
            ValueError: if a number of cells is below one.
        """
        if isinstance(size, int):
            cells = whole(size, "A grid's size")
            size = tuple(max(1, round(cells * length)) for length in self.config.lengths)  # type: ignore[assignment]
        return Grid(size, self.config.domain)  # type: ignore[arg-type]

    def loss(
        self,
        x0: Function,
        t: Float[Tensor, "batch"],
        *,
        at: Subset | None = None,
        generator: torch.Generator,
    ) -> Float[Tensor, "batch"]:
        """The denoising loss, one number a sample; see :func:`denoising_loss`.

        Args:
            x0: clean functions on a full grid of the model's domain.
            t: times in [0, 1], of shape ``(batch,)``.
            at: the points to train on; by default all.
            generator: the source of the noise.

        Raises:
            ValueError: if the functions live on another domain, or as :func:`denoising_loss`.
        """
        if x0.on.domain != self.config.domain:
            raise ValueError(
                f"This model's functions live on a box of sides {self.config.lengths}; got "
                f"{x0.on.domain.lengths}."
            )
        return denoising_loss(
            self.process, self.network, x0, t, at=at, predict=self.predict, generator=generator
        )

    def denoiser(self) -> Denoiser:
        """The network as a denoiser, clipped and projected as the configuration says."""
        config = self.config
        denoiser = as_denoiser(self.process, self.network, predict=self.predict, clip=config.clip)
        if config.range_floor is None or config.process != "mollified":
            return denoiser
        return range_projection(self.process, denoiser, floor=config.range_floor)

    def deconvolve(self, x: Function, *, noise_to_signal: float | None = None) -> Function:
        r"""Undo the mollifier as far as the spectrum allows, keeping constants.

        Args:
            x: estimates of :math:`S x_0` on a grid.
            noise_to_signal: the ratio of the Wiener filter; by default the configuration's.

        Returns:
            Estimates of :math:`x_0`: those given, where the process does not mollify its data.
        """
        if self.config.process != "mollified":
            return x
        ratio = self.config.noise_to_signal if noise_to_signal is None else noise_to_signal
        return wiener_inverse(self.process.constant_signal, noise_to_signal=ratio)(x) * (
            1.0 + ratio**2
        )

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

    def sample(
        self,
        *,
        on: Grid,
        batch: int,
        generator: torch.Generator,
        rule: StepRule = DETERMINISTIC,
        times: Float[Tensor, "times"] | None = None,
        start: Function | None = None,
        deconvolve: bool = True,
    ) -> Function:
        r"""Draw samples on a grid.

        Args:
            on: the grid; :meth:`grid` makes one on the model's domain.
            batch: the number of samples.
            generator: the source of randomness.
            rule: the step rule.
            times: decreasing times, the first of them 1 unless a start is given; by default
                uniform, as many steps as the configuration says.
            start: the first state; by default drawn from the prior by :meth:`start`.
            deconvolve: whether to undo the mollifier.

        Returns:
            Estimates of :math:`x_0`, or of :math:`S x_0` if they are not deconvolved, with values
            of shape ``(batch, points, channels)``.

        Raises:
            ValueError: as :func:`sample`.
        """
        times = steps(self.config.steps) if times is None else times
        if start is None:
            start = self.start(on=on, batch=batch, generator=generator)
        with self._evaluating():
            x = sample(
                rule,
                self.process,
                self.denoiser(),
                on=on,
                times=times,
                batch=batch,
                channels=self.config.channels,
                generator=generator,
                start=start,
            )
            return self.deconvolve(x) if deconvolve else x

    def trajectory(
        self,
        *,
        on: Grid,
        batch: int,
        generator: torch.Generator,
        rule: StepRule = DETERMINISTIC,
        times: Float[Tensor, "times"] | None = None,
        start: Function | None = None,
    ) -> Iterator[State]:
        """Yield every state of a sampling run, none of them deconvolved; see :meth:`sample`.

        Raises:
            ValueError: as :func:`trajectory`.
        """
        times = steps(self.config.steps) if times is None else times
        if start is None:
            start = self.start(on=on, batch=batch, generator=generator)
        states = trajectory(
            rule,
            self.process,
            self.denoiser(),
            on=on,
            times=times,
            batch=batch,
            channels=self.config.channels,
            generator=generator,
            start=start,
        )
        with self._evaluating():
            yield from states

    @property
    def _like(self) -> Tensor:
        """A parameter of the network, for its dtype and device."""
        return next(self.network.parameters())

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Without dropout, and as before afterwards."""
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)
