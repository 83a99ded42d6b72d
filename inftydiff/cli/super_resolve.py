"""``inftydiff super-resolve``: finer pictures of coarse ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, final

import torch
import tyro

from inftydiff.cli.command import Command
from inftydiff.cli.tasks import TaskArguments, rms
from inftydiff.pipelines.tasks import SuperResolution, super_resolve

__all__ = ["SuperResolve"]

COARSE = 32
"""What pictures are taken at unless told otherwise."""

LARGER = 4
"""How many times finer the answer is unless told otherwise."""


@final
@dataclass(frozen=True)
class SuperResolve(Command):
    """Sample finer pictures of coarse ones: --taken-at 32 --size 128, for instance.

    The pictures are averaged down to --taken-at first, so that with large ones the answer can be
    compared. Prints the errors, beside those of bicubic interpolation where the truth is known.

    Args:
        task: the pictures, the sizes and the samples.
        method: "posterior" samples functions with the picture's averages, "encodings" decodes the
            noise that encodes it, "encoder" decodes its latent.
        noise_std: the deviation of the errors of the coarse values, which range from -1 to 1.
        composite: give the samples exactly the coarse values as averages in the end.
    """

    task: Annotated[TaskArguments, tyro.conf.arg(name="")]
    method: SuperResolution = "posterior"
    noise_std: float = 0.02
    composite: bool = True

    def run(self, words: Sequence[str]) -> None:
        taken = self.task.taken_at or COARSE
        ready = self.task.prepare(taken_at=COARSE, size=LARGER * taken)
        if max(ready.on.shape) <= max(ready.pictures.shape[-2:]):
            raise ValueError(
                f"--size {max(ready.on.shape)} is no finer than the pictures, which are taken at "
                f"{max(ready.pictures.shape[-2:])}. Ask for more, or change --taken-at."
            )
        result = self.task.sample(
            ready.pipeline,
            lambda how, generator: super_resolve(
                ready.pipeline,
                ready.x,
                on=ready.on,
                generator=generator,
                method=self.method,
                samples=self.task.samples,
                noise_std=self.noise_std,
                composite=self.composite,
                how=how,
            ),
        )
        truth = ready.truth()
        if truth is not None:
            bicubic = torch.nn.functional.interpolate(
                ready.pictures, size=ready.on.shape, mode="bicubic", align_corners=False
            )
            print(f"rms error: bicubic {rms(bicubic.clamp(-1.0, 1.0) - truth):.4f}")
        rows, columns = ready.pictures.shape[-2:]
        self.task.save(
            result,
            observed=ready.pictures,
            names=ready.source.names,
            truth=truth,
            heading=f"Super-resolution, {rows} × {columns} to {ready.on.shape[0]} × "
            f"{ready.on.shape[1]}",
            caption=f"{self.task.checkpoint}, by {self.method}.",
        )
