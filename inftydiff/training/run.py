"""The state of a training run, and what changes it: steps, held-out losses, checkpoints."""

import dataclasses
import json
import time
from collections.abc import Sized
from pathlib import Path
from typing import TYPE_CHECKING, cast, final

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from inftydiff.pipelines import InftyDiff, InftyDiffConfig
from inftydiff.pipelines.records import differences, to_record
from inftydiff.training import checkpoint
from inftydiff.training.average import averaged
from inftydiff.training.config import Progress, TrainConfig
from inftydiff.training.objective import Objective, Part
from inftydiff.training.order import BatchOrder
from inftydiff.training.precision import fast_bfloat16
from inftydiff.training.signals import StopSignals
from inftydiff.training.validation import held_out_loss

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Run"]

SMOOTHING = 0.02
"""The weight of the newest step in the training loss that is shown."""


@final
class Run:
    """The state of a training run.

    Args:
        accelerator: what the run is distributed by.
        model: the model's configuration.
        data: the training pictures.
        validation: the held-out pictures, or None.
        config: the settings of the run.
        out: the run folder.
    """

    def __init__(
        self,
        accelerator: "Accelerator",
        model: InftyDiffConfig,
        data: Dataset[Tensor],
        validation: Dataset[Tensor] | None,
        config: TrainConfig,
        out: Path,
    ) -> None:
        self.accelerator = accelerator
        self.data = data
        self.validation = validation
        self.config = config
        self.out = out
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            self.pipeline = InftyDiff(model)
        self.pipeline.compute_dtype = self._compute_dtype()
        self.progress = Progress()
        self.saved = out
        self.order(0)

    def prepare(self, resume: bool) -> None:
        """Take up the newest checkpoint or begin anew, and hand the network to accelerate."""
        device, config = self.accelerator.device, self.config
        self.pipeline.to(device)
        optimiser = torch.optim.AdamW(
            self.pipeline.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )
        self.average = averaged(self.pipeline, config)
        checkpoint.require_run(self.out, resume)
        if resume:
            self.resume(optimiser)
        if self.accelerator.is_main_process:
            self.out.mkdir(parents=True, exist_ok=True)
            checkpoint.remove_partial(self.out)
        objective = Objective(self.pipeline, points=config.points, flips=config.flips)
        self.objective, self.optimiser = self.accelerator.prepare(objective, optimiser)
        self.began = time.monotonic() - self.progress.seconds
        self.saved_at = self.progress.seconds

    def resume(self, optimiser: torch.optim.Optimizer) -> None:
        """Load the newest checkpoint."""
        folder = checkpoint.latest(self.out)
        model, _, self.progress = checkpoint.read_settings(folder)
        if model != self.pipeline.config:
            other = "; ".join(differences(model, self.pipeline.config))
            raise ValueError(
                f"{folder} is of another model: {other}. Give the model's settings as in the first "
                "call."
            )
        checkpoint.load_training(folder, self.pipeline, optimiser)
        weights = checkpoint.load_pipeline(folder).state_dict()
        self.average.module.load_state_dict(weights)
        self.average.n_averaged.fill_(self.progress.step)
        self.saved = folder

    def order(self, first: int) -> BatchOrder:
        """The batches of this process from a step on."""
        return BatchOrder(
            len(cast(Sized, self.data)),
            self.config.batch_size,
            seed=self.config.seed,
            first=first,
            process=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
        )

    def loader(self) -> DataLoader[Tensor]:
        """Batches without end, from where the run stands."""
        return DataLoader(
            self.data, batch_sampler=self.order(self.progress.step), generator=torch.Generator()
        )

    def step(self, images: Tensor) -> None:
        """One update of the weights and of their average."""
        config, done = self.config, self.progress
        accelerator, count = self.accelerator, len(images)
        first = accelerator.process_index * count
        part = Part(config.seed, done.step, first, count * accelerator.num_processes)
        loss = self.objective(images.to(accelerator.device), part).mean()
        rate = config.rate(done.step, config.fraction(done.step, done.seconds))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.objective.parameters(), config.clip_norm)
        value = self.accelerator.reduce(loss.detach(), "mean").item()
        if not value < float("inf"):
            raise FloatingPointError(
                f"The loss of step {done.step} is {value}; the newest checkpoint is {self.saved}. "
                "Lower the learning rate, or look for pictures that are not in [-1, 1]."
            )
        self.optimiser.step()
        self.average.update_parameters(self.pipeline)
        shown = value if done.loss is None else done.loss + SMOOTHING * (value - done.loss)
        self.progress = dataclasses.replace(
            done, step=done.step + 1, seconds=time.monotonic() - self.began, loss=shown
        )

    def attend(self) -> None:
        """Validate and write a checkpoint when it is time to, and after the last step."""
        config, done, last = self.config, self.progress, self.finished
        if last or done.step % config.validate_every == 0:
            self.validate()
        late = self._agreed(done.seconds - self.saved_at >= 60.0 * config.checkpoint_minutes)
        if last or late or done.step % config.checkpoint_steps == 0:
            self.save()

    def conclude(self) -> None:
        """Write a checkpoint of where the run was stopped, unless there is one."""
        if self.saved.name != checkpoint.name_of(self.progress.step):
            self.save()

    def validate(self) -> None:
        """Estimate the averaged weights' held-out loss, and note it in ``log.jsonl``."""
        average = cast(InftyDiff, self.average.module)
        held_out = None
        if self.validation is not None:
            held_out = held_out_loss(
                average,
                self.validation,
                images=self.config.validation_images,
                points=self.config.points,
            )
        self.progress = dataclasses.replace(self.progress, held_out=held_out)
        if self.accelerator.is_main_process:
            with (self.out / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(to_record(self.progress)) + "\n")

    def save(self) -> None:
        """Write a checkpoint."""
        self.saved = self.out / checkpoint.name_of(self.progress.step)
        if self.accelerator.is_main_process:
            checkpoint.save(
                self.out,
                average=cast(InftyDiff, self.average.module),
                pipeline=self.pipeline,
                optimiser=self.optimiser.optimizer,
                training=self.config,
                progress=self.progress,
            )
        self.accelerator.wait_for_everyone()
        self.saved_at = self.progress.seconds

    @property
    def finished(self) -> bool:
        """Whether the steps or the minutes are used up."""
        done = self.progress
        return self._agreed(self.config.fraction(done.step, done.seconds) >= 1.0)

    def stop_asked(self, signals: StopSignals) -> bool:
        """Whether any process has been asked to stop."""
        return self._agreed(signals.received is not None)

    def _agreed(self, wish: bool) -> bool:
        """Whether any process has the wish."""
        if self.accelerator.num_processes == 1:
            return wish
        wishes = torch.tensor(float(wish), device=self.accelerator.device)
        return bool(self.accelerator.reduce(wishes, "sum") > 0)

    def _compute_dtype(self) -> torch.dtype | None:
        """The precision that the network computes in, if it is not its own."""
        precision = self.config.precision
        fast = fast_bfloat16(self.accelerator.device.type)
        if precision == "bf16" or (precision == "auto" and fast):
            return torch.bfloat16
        return None
