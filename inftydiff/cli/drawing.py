"""Sampling from the command line: the solver's options, and the run with a progress bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from inftydiff import DDIM, Grid, timesteps
from inftydiff._components import kind_of
from inftydiff._typing import whole
from inftydiff.pipelines import InftyDiff
from inftydiff.processes import Solver, State, recommended_timesteps
from inftydiff.processes._checks import MOST_STEPS
from inftydiff.processes.times import Spaced
from inftydiff.training._bar import seconds_between_updates

__all__ = ["SolverArguments", "draw"]

SpacingName = Literal["uniform", "quadratic", "angle", "log_snr", "karras", "recommended"]


@final
@dataclass(frozen=True)
class SolverArguments:
    """The solver, its steps and their spacing.

    Args:
        steps: the number of steps; by default what the model was saved with.
        solver: the solver, by its kind; by default ddim, or one that suits the task.
        spacing: the coordinate in which the times are spaced equally, or "recommended", the
            solver's own.

    Raises:
        ValueError: if the number of steps is out of range.
    """

    steps: int | None = None
    solver: Solver | None = None
    spacing: SpacingName = "uniform"

    def __post_init__(self) -> None:
        if self.steps is not None:
            whole(self.steps, "The number of steps", most=MOST_STEPS)

    @property
    def chosen(self) -> Solver:
        """The solver, by default DDIM."""
        return DDIM() if self.solver is None else self.solver

    def times(self, pipeline: InftyDiff) -> Float[Tensor, "times"]:
        """Return the times of a run of a model.

        Args:
            pipeline: the model.

        Raises:
            ValueError: if the number of steps is out of range, or the spacing does not suit the
                schedule.
        """
        count = pipeline.config.steps if self.steps is None else self.steps
        schedule = pipeline.process.schedule
        if self.spacing == "recommended":
            if not isinstance(self.chosen, Spaced):
                raise ValueError(f"{self.said} recommends no spacing of its own. Name a --spacing.")
            return recommended_timesteps(count, self.chosen, schedule)
        return timesteps(count, spacing=self.spacing, schedule=schedule)

    @property
    def said(self) -> str:
        """The solver, and what it was given, in words."""
        solver = self.chosen
        words = ", ".join(f"{name} = {value}" for name, value in vars(solver).items())
        name = (kind_of(solver) or type(solver).__name__).replace("_", " ")
        return f"{name} ({words})" if words else name


def draw(
    pipeline: InftyDiff,
    on: Grid,
    seeds: Sequence[int],
    *,
    times: Float[Tensor, "times"],
    title: str,
    solver: Solver | None = None,
    latent: Float[Tensor, "n features"] | None = None,
    condition: Float[Tensor, "n conditions"] | None = None,
    guidance: float = 1.0,
    noise_to_signal: float | None = None,
    tile: int | tuple[int, int] | None = None,
) -> Float[Tensor, "n c h w"]:
    """Sample one picture a seed, with a progress bar.

    Args:
        pipeline: the model.
        on: the grid.
        seeds: one a picture.
        times: decreasing times.
        title: what the progress bar is called.
        solver: the solver, by default DDIM; this and the others are those of
            :meth:`InftyDiff.sample`.
        latent: the latents, one a seed.
        condition: what the latents are drawn under, one a seed.
        guidance: the strength of the condition.
        noise_to_signal: the ratio of the Wiener filter.
        tile: the points along a tile's sides.

    Returns:
        The pictures on the CPU, of shape ``(seeds, channels, rows, columns)``.
    """
    with tqdm(
        total=(len(times) - 1) * len(seeds),
        desc=title,
        unit="step",
        leave=False,
        mininterval=seconds_between_updates(),
    ) as bar:

        def show(state: State) -> None:
            bar.update(0 if state.prediction is None else state.x.batch[0])

        x = pipeline.sample(
            on=on,
            seeds=seeds,
            solver=DDIM() if solver is None else solver,
            times=times,
            latent=latent,
            condition=condition,
            guidance=guidance,
            noise_to_signal=noise_to_signal,
            tile=tile,
            on_state=show,
        )
    return x.to_image().cpu()
