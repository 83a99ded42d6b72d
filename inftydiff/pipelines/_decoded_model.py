r"""Functions and their codes: a model's samples from given latents or noises, and the way back.

A function is encoded as a *latent*, by the encoder of a model that has one, or as the *noise* that
the solver makes it of, by inversion. Each is decoded by the sampling run.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import floating, whole
from inftydiff.operators import Function, Grid
from inftydiff.pipelines._sampled_model import DETERMINISTIC, SampledModel
from inftydiff.processes import HeunInversion, InversionRule, Solver, invert
from inftydiff.processes._checks import MOST_SAMPLES, conforming
from inftydiff.processes.sampler import check_decreasing

__all__ = ["DecodedModel"]

UPWARD = HeunInversion()
"""The solver of inversion unless another is asked for."""


class DecodedModel(SampledModel):
    """A model whose functions are encoded and decoded."""

    @abstractmethod
    def encode(self, x: Function) -> Float[Tensor, "batch features"]:
        """The latents of functions."""

    @abstractmethod
    def _check_functions(self, x: Function) -> None:
        """Refuse what are no functions of this model's channels, with one batch axis."""

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

        ``sample(start=…, on=x0.on, oversample=1)`` with these times, the solver
        ``inversion.solver`` and the same latents goes back.

        Args:
            x0: clean functions on a full grid of the model's domain, values of shape
                ``(batch, points, channels)``; they are mollified, and then inverted.
            times: decreasing times, those that are sampled with. The last of them but one should
                have a small σ/α, as it has in ``recommended_timesteps``.
            inversion: the solver that goes up.
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
        conforming(inversion, InversionRule, "An inversion solver", "Pass HeunInversion(), say.")
        check_decreasing(times)
        if latent is not None:
            self._check_latent(latent, x0.batch[0])
        if latent is None and self.config.latent is not None:
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
        solver: Solver = DETERMINISTIC,
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
        if self.config.latent is None:
            raise ValueError(
                "This model has no latents to decode; sample() draws from it. Call that."
            )
        self._check_latent(latent)
        return self.sample(
            on=on,
            batch=len(latent),
            generator=generator,
            solver=solver,
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
        solver: Solver = DETERMINISTIC,
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
            self.encode(x), on=on, generator=generator, solver=solver, times=times, tile=tile
        )

    def interpolate(
        self,
        first: Float[Tensor, "features"],
        last: Float[Tensor, "features"],
        *,
        count: int,
        on: Grid,
        generator: torch.Generator,
        solver: Solver = DETERMINISTIC,
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
            solver: the solver.
            times: decreasing times.
            tile: the points along a tile's sides, as in :meth:`sample`.

        Raises:
            ValueError: if there are fewer than two, or as :meth:`decode`.
        """
        if self.config.latent is None:
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
            solver=solver,
            times=times,
            start=Function(start.on, start.values.expand(int(count), -1, -1)),
            tile=tile,
        )
