r"""The sampling run of a model: the one that commands, tasks and training previews call.

A run begins with a state at :math:`t = 1`, goes down the times by a solver, and undoes the
mollifier at the end. Samples are keyed by *seeds*, one a sample, or drawn from one generator. With
seeds, sample k is the same function whichever others are drawn with it, on every grid.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import flag, floating, generator_for, instance, number, whole
from inftydiff.operators import Discretisation, Function, Grid, LinearOperator
from inftydiff.operators.cells import coarsen, refine
from inftydiff.pipelines._saved_model import SavedModel
from inftydiff.processes import (
    DDIM,
    Denoiser,
    DiffusionProcess,
    Solver,
    State,
    timesteps,
    trajectory,
)
from inftydiff.processes._checks import (
    MOST_SAMPLES,
    a_callable,
    a_function,
    a_grid,
    conforming,
    samples,
)
from inftydiff.processes._seeds import generator_of
from inftydiff.processes.sampler import Watched, check_decreasing
from inftydiff.processes.solvers.solver import separable

__all__ = ["SampledModel"]

MOST_OVERSAMPLE = 256
"""The most times as many cells a side that are sampled on."""

DETERMINISTIC = DDIM()
"""The solver of sampling unless another is asked for."""

POINTS = 1 << 18
"""The most points, of all samples together, that are computed at a time with seeds."""

START = "The start, unless None,"
ONE_OF_TWO = (
    "Latents are drawn under a condition or given, and not both; leave condition and guidance out."
)

Wrap: TypeAlias = Callable[[Denoiser, slice], Denoiser]
"""Wraps the network's denoiser, of the samples that the slice takes, such as in guidance."""


class SampledModel(SavedModel):
    """A model whose denoiser is sampled from, and whose samples are deconvolved."""

    process: DiffusionProcess

    @abstractmethod
    def denoiser(
        self,
        latent: Float[Tensor, "batch features"] | None = None,
        *,
        tile: int | tuple[int, int] | None = None,
    ) -> Denoiser:
        """The network as a denoiser."""

    @abstractmethod
    def deconvolution(self, *, noise_to_signal: float | None = None) -> LinearOperator:
        """The linear map from mollified to clean functions."""

    @abstractmethod
    def draw_latents(
        self,
        *,
        batch: int,
        generator: torch.Generator,
        condition: Float[Tensor, "batch conditions"] | None = None,
        guidance: float = 1.0,
    ) -> Float[Tensor, "batch features"] | None:
        """Latents from the prior; none for a model without latents."""

    @property
    @abstractmethod
    def _like(self) -> Tensor:
        """A parameter of the network, for its dtype and device."""

    @abstractmethod
    def _evaluating(self) -> AbstractContextManager[None]:
        """Without dropout, and as before afterwards."""

    @abstractmethod
    def _check_latent(self, latent: Tensor, batch: int | None = None) -> None:
        """Refuse latents of other sizes than this model's, or of another number."""

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
            trained = self.config.training_resolution or 1
            oversample = max(1, math.ceil(trained / max(on.shape, default=1) - 1e-9))
        return refine(on, whole(oversample, "oversample", most=MOST_OVERSAMPLE))

    def sample(
        self,
        *,
        on: Grid,
        batch: int | None = None,
        generator: torch.Generator | None = None,
        seeds: Sequence[int] | None = None,
        solver: Solver = DETERMINISTIC,
        times: Float[Tensor, "times"] | None = None,
        start: Function | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
        condition: Float[Tensor, "batch conditions"] | None = None,
        guidance: float = 1.0,
        deconvolve: bool = True,
        noise_to_signal: float | None = None,
        oversample: int | None = None,
        tile: int | tuple[int, int] | None = None,
        wrap: Wrap | None = None,
        chunk: int | None = None,
        on_state: Callable[[State], None] | None = None,
    ) -> Function:
        r"""Draw samples on a grid, by seeds or from a generator.

        A grid that is coarser than the one the network was trained on gets averages over its cells,
        as a picture has them; see :meth:`sampling_grid`. On others the values are point values.

        Args:
            on: the grid; ``InftyDiff.grid`` makes one on the model's domain.
            batch: the number of samples that are drawn from a generator; with seeds it is theirs.
            generator: the source of randomness: first of the noise, then of the latents.
            seeds: one a sample, from 0 to 2⁶³ − 1, instead of a generator: each sample is a
                function of its seed, whichever others are drawn.
            solver: the solver.
            times: decreasing times, the first of them 1 unless a start is given; by default
                uniform, as many steps as the configuration says.
            start: the first state, on the :meth:`sampling_grid`; by default drawn by
                :meth:`start`.
            latent: the latents, of shape ``(batch, features)``; by default drawn by
                :meth:`draw_latents`.
            condition: what the latents are drawn under, as :meth:`draw_latents` takes it.
            guidance: the strength of the condition.
            deconvolve: whether to undo the mollifier.
            noise_to_signal: the ratio of the Wiener filter; by default the configuration's.
            oversample: the refinement of the grid that samples are drawn on; 1 gives point values.
            tile: the points along a tile's sides, for samples too large for the network's features
                to be held at once: the same samples, without seams, in more time.
            wrap: what the network's denoiser is wrapped in, such as guidance: a function of it and
                of the slice of the samples that it is for.
            chunk: how many samples are computed at a time; by default all that a generator draws,
                and with seeds as many as fit into 2¹⁸ points. A solver that draws noise, or whose
                steps depend on the whole batch, takes seeds one at a time.
            on_state: called with every state of every chunk, for progress bars and films.

        Returns:
            Estimates of :math:`x_0`, or of :math:`S x_0` if they are not deconvolved, with values
            of shape ``(batch, points, channels)``.

        Raises:
            TypeError: if an argument is of another kind.
            ValueError: if there is not one of a generator and seeds, as :func:`trajectory` and
                :meth:`draw_latents`, or if the samples are not finite.
        """
        flag(deconvolve, "deconvolve")
        if on_state is not None:
            a_callable(on_state, "on_state, unless None,", "Pass a function of a State.")
        fine = self.sampling_grid(on, oversample)
        conforming(solver, Solver, "A solver", "Pass DDIM(), say.")
        sources, count = self._sources(batch, generator, seeds)
        if chunk is None and seeds is not None:
            chunk = max(1, POINTS // fine.size)
        chunk = count if chunk is None else whole(chunk, "chunk", most=MOST_SAMPLES)
        if seeds is not None and not separable(solver):
            chunk = 1
        if start is not None:
            _check_number(a_function(start, START).values, count, "start")
        _check_number(latent, count, "latent")
        _check_number(condition, count, "condition")
        found = []
        for begin in range(0, count, chunk):
            part = slice(begin, min(count, begin + chunk))
            size = part.stop - begin
            own = sources if seeds is None else sources[part]
            states = Watched(
                self.trajectory(
                    on=fine,
                    batch=size,
                    generator=own[0],
                    solver=solver,
                    times=times,
                    start=self._starts(fine, start, part, size, own),
                    latent=self._latents(latent, condition, guidance, part, size, own),
                    wrap=None if wrap is None else _of_part(wrap, part),
                    tile=tile,
                )
            )
            seen = _shown(states, on_state)
            if deconvolve:
                x = self.clean(seen, noise_to_signal=noise_to_signal)
            else:
                for state in seen:
                    x = state.x
            states.check(x, "Samples")
            with torch.no_grad():
                found.append(coarsen(x, on))
        values = found[0].values if len(found) == 1 else torch.cat([f.values for f in found])
        return Function(on, values)

    def trajectory(
        self,
        *,
        on: Grid,
        batch: int,
        generator: torch.Generator,
        solver: Solver = DETERMINISTIC,
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
            solver: the solver.
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
        conforming(solver, Solver, "A solver", "Pass DDIM(), say.")
        guidance = number(guidance, "guidance")
        if wrap is not None:
            a_callable(wrap, "What wraps a denoiser, unless None,", "Pass a function of it.")
        if latent is not None:
            self._check_latent(latent, batch)
        if latent is not None and (condition is not None or guidance != 1.0):
            raise ValueError(ONE_OF_TWO)
        times = timesteps(self.config.steps) if times is None else times
        check_decreasing(times)
        if start is not None:
            a_function(start, START)
        else:
            start = self.start(on=on, batch=batch, generator=generator)
        if latent is None:
            latent = self.draw_latents(
                batch=batch, generator=generator, condition=condition, guidance=guidance
            )
        denoiser = self.denoiser(latent, tile=tile)
        states = trajectory(
            solver,
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

    def _sources(
        self, batch: int | None, generator: torch.Generator | None, seeds: Sequence[int] | None
    ) -> tuple[list[torch.Generator], int]:
        """The generator of all samples, or one a seed, and how many samples there are."""
        if (generator is None) is (seeds is None):
            raise ValueError(
                "Samples are drawn from a generator or by seeds; pass one of generator= and "
                "seeds=. Got both, or neither."
            )
        if seeds is None:
            if batch is None:
                raise ValueError(
                    "How many samples a generator draws is said by batch=; got none. Pass it."
                )
            assert generator is not None
            return [generator_for(generator, "Sampling")], samples(batch)
        sources = [generator_of(seed) for seed in instance(seeds, Sequence, "Seeds, unless None,")]
        if not sources or batch not in (None, len(sources)):
            raise ValueError(
                f"There is one seed a sample; got {len(sources)} seeds and batch={batch}. Leave "
                "batch out."
            )
        return sources, samples(len(sources))

    def _starts(
        self,
        on: Grid,
        start: Function | None,
        part: slice,
        size: int,
        sources: Sequence[torch.Generator],
    ) -> Function:
        """The first states of some samples."""
        if start is not None:
            return Function(start.on, start.values[part])
        if len(sources) == 1:
            return self.start(on=on, batch=size, generator=sources[0])
        drawn = [self.start(on=on, batch=1, generator=source).values for source in sources]
        return Function(on, torch.cat(drawn))

    def _latents(
        self,
        latent: Tensor | None,
        condition: Tensor | None,
        guidance: float,
        part: slice,
        size: int,
        sources: Sequence[torch.Generator],
    ) -> Tensor | None:
        """The latents of some samples, given or drawn."""
        if latent is not None:
            if condition is not None or number(guidance, "guidance") != 1.0:
                raise ValueError(ONE_OF_TWO)
            return latent[part]
        under = None if condition is None else condition[part]
        if len(sources) == 1:
            return self.draw_latents(
                batch=size, generator=sources[0], condition=under, guidance=guidance
            )
        drawn = [
            self.draw_latents(
                batch=1,
                generator=source,
                condition=None if under is None else under[i : i + 1],
                guidance=guidance,
            )
            for i, source in enumerate(sources)
        ]
        known = [each for each in drawn if each is not None]
        return torch.cat(known) if known else None


def _check_number(values: Tensor | None, count: int, name: str) -> None:
    """Refuse a tensor whose first axis is not that of the samples; None is nothing to refuse."""
    if values is not None and floating(values, f"{name}, unless None,").shape[:1] != (count,):
        raise ValueError(
            f"There is one {name} a sample; got the shape {tuple(values.shape)} for {count} "
            "samples. Give as many."
        )


def _of_part(wrap: Wrap, part: slice) -> Callable[[Denoiser], Denoiser]:
    return lambda denoiser: wrap(denoiser, part)


def _shown(states: Iterable[State], on_state: Callable[[State], None] | None) -> Iterator[State]:
    """States, each of them shown on its way."""
    for state in states:
        if on_state is not None:
            on_state(state)
        yield state
