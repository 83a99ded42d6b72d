"""``inftydiff vary``: pictures that are like given ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, final

import tyro

from inftydiff.cli.command import Command
from inftydiff.cli.tasks import TaskArguments
from inftydiff.pipelines.tasks import vary

__all__ = ["Vary"]


@final
@dataclass(frozen=True)
class Vary(Command):
    """Sample pictures that are like given ones.

    Args:
        task: the pictures, the sizes and the samples.
        start_time: the time that the pictures are noised up to; at 1 only their latents are kept.
    """

    task: Annotated[TaskArguments, tyro.conf.arg(name="")]
    start_time: float = 1.0

    def run(self, words: Sequence[str]) -> None:
        if not 0.0 < self.start_time <= 1.0:
            raise ValueError(f"--start-time lies above 0 and at most at 1; got {self.start_time}.")
        ready = self.task.prepare(taken_at=None, size=None)
        result = self.task.sample(
            ready.pipeline,
            lambda how, generator: vary(
                ready.pipeline,
                ready.x,
                generator=generator,
                on=ready.on,
                samples=self.task.samples,
                start_time=self.start_time,
                how=how,
            ),
        )
        self.task.save(
            result,
            observed=ready.pictures,
            names=ready.source.names,
            truth=ready.truth(),
            heading="Variations",
            caption=f"{self.task.checkpoint}, from t = {self.start_time:g}.",
        )
