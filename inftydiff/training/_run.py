r"""The state of a training run, and what changes it: steps, held-out losses, checkpoints.

With it goes the exponential moving average of the weights,
:math:`\bar w \leftarrow d\,\bar w + (1-d)\,w`, whose decay :math:`d` warms up with the number of
updates, see ``TrainConfig.ema``.
"""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast, final

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import Dataset

from inftydiff._components import differences
from inftydiff.models import recompute_blocks
from inftydiff.pipelines import InftyDiff, latest, load_pipeline
from inftydiff.pipelines.checkpoints import begun, name_of
from inftydiff.processes._seeds import generator_of
from inftydiff.training import checkpoint
from inftydiff.training._batches import BatchSampler, Items, batches
from inftydiff.training._folders import remove_partial, require_run
from inftydiff.training._journal import Journal
from inftydiff.training._stages import Stage
from inftydiff.training._update import Outcome, Update, compile_networks, compute_dtype, loss_scaler
from inftydiff.training.progress import Progress
from inftydiff.training.settings import TrainConfig
from inftydiff.training.signals import StopSignals
from inftydiff.training.validation import estimated_loss, image_grid

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Run", "averaged"]

Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]


def averaged(pipeline: InftyDiff, config: TrainConfig) -> AveragedModel:
    """A copy of a model that follows it, in evaluation mode."""

    def update(average: Tensors, weights: Tensors, updates: Tensor | int) -> None:
        torch._foreach_lerp_(average, weights, 1.0 - config.ema_decay(int(updates)))

    average = AveragedModel(pipeline, multi_avg_fn=torch.no_grad()(update))
    return average.eval().requires_grad_(False)


@final
class Run:
    """The state of a training run.

    Args:
        accelerator: what the run is distributed by.
        stage: what is trained.
        data: what it is trained on, pictures or latents.
        validation: what is held out, or None.
        config: the settings of the run.
        out: the run folder.
    """

    def __init__(
        self,
        accelerator: "Accelerator",
        stage: Stage,
        data: Dataset[Tensor],
        validation: Dataset[Tensor] | None,
        config: TrainConfig,
        out: Path,
    ) -> None:
        self.accelerator = accelerator
        self.stage = stage
        self.data = Items(data)
        self.validation = None if validation is None else Items(validation)
        self.config = config
        self.out = out
        with torch.random.fork_rng():
            torch.set_rng_state(generator_of(config.seed).get_state())
            self.pipeline = stage.build()
        self.pipeline.compute_dtype = compute_dtype(config.precision, accelerator.device.type)
        self.scaler = loss_scaler(config.precision, accelerator.device.type)
        self.progress = Progress()
        self.saved: Path | None = None
        self.batch = config.batch_size * accelerator.num_processes
        self.journal = Journal(out, config, self.batch, accelerator.is_main_process)
        self.order(0)

    def prepare(self, resume: bool) -> None:
        """Take up the newest checkpoint or begin anew, and hand the network to accelerate."""
        device, config = self.accelerator.device, self.config
        self.pipeline.to(device)
        optimiser = torch.optim.AdamW(
            [weight for weight in self.pipeline.parameters() if weight.requires_grad],
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
            fused=device.type in ("cpu", "cuda")
            and all(weight.is_floating_point() for weight in self.pipeline.parameters()),
        )
        self.average = averaged(self.pipeline, config)
        require_run(self.out, resume)
        if resume and not begun(self.out):
            self.resume(optimiser)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            remove_partial(self.out)
        recompute_blocks(self.pipeline, config.gradient_checkpointing)
        if config.compile:
            compile_networks(self.pipeline)
        objective = self.stage.objective(self.pipeline, config, training=True)
        self.objective, self.optimiser = self.accelerator.prepare(objective, optimiser)
        self.update = Update(
            self.accelerator, self.objective, self.optimiser, self.scaler, self.config
        )
        self.journal.begin(self.progress)
        self.began = time.monotonic() - self.progress.seconds
        self.saved_at = self.progress.seconds

    def resume(self, optimiser: torch.optim.Optimizer) -> None:
        """Load the newest checkpoint."""
        folder = latest(self.out)
        model, _, self.progress = checkpoint.read_settings(folder)
        if model != self.pipeline.config:
            other = "; ".join(differences(model, self.pipeline.config))
            raise ValueError(
                f"{folder} is of another model: {other}. Give the model's settings as in the first "
                "call."
            )
        checkpoint.load_training(folder, self.pipeline, optimiser, self.scaler)
        weights = load_pipeline(folder).state_dict()
        self.average.module.load_state_dict(weights)
        self.average.n_averaged.fill_(self.progress.updates)
        self.saved = folder

    def order(self, first: int) -> BatchSampler:
        """The batches of this process from a step on."""
        return BatchSampler(
            len(self.data),
            self.config.batch_size,
            seed=self.config.seed,
            first=first,
            process=self.accelerator.process_index,
            processes=self.accelerator.num_processes,
        )

    def batches(self) -> Iterator[Tensor]:
        """Batches without end, from where the run stands."""
        return batches(self.data, self.order(self.progress.step), self.config.workers)

    def step(self, images: Tensor) -> Outcome:
        """One update of the weights and of their average, unless it is skipped.

        Raises:
            FloatingPointError: if too many steps in a row were skipped.
        """
        config, done = self.config, self.progress
        rate = config.rate(done.step, config.fraction(done.step, done.seconds))
        outcome = self.update(images, done.step, rate)
        seconds = time.monotonic() - self.began
        if outcome.reason is None:
            self.average.update_parameters(self.pipeline)
            self.progress = done.moved(outcome.loss, seconds)
        else:
            self.progress = done.missed(seconds, counted=not outcome.overflow)
        self.journal.step(self.progress, outcome)
        if self.progress.in_a_row >= config.max_skipped:
            raise FloatingPointError(
                f"{self.progress.in_a_row} steps in a row were skipped; at step "
                f"{self.progress.step} {outcome.reason}. {self.state()} Lower the learning rate, "
                "or look for pictures that are not in [-1, 1]."
            )
        return outcome

    def attend(self) -> None:
        """Validate, draw samples and write a checkpoint when it is time to, and at the end."""
        config, done, last = self.config, self.progress, self.finished
        if last or done.step % config.validate_every == 0:
            self.validate()
        wanted = config.sample_every is not None and done.step % config.sample_every == 0
        if wanted and self.accelerator.is_main_process:
            data = self.data if self.validation is None else self.validation
            shown, columns = self.stage.samples(cast(InftyDiff, self.average.module), data)
            self.journal.samples(done, image_grid(shown, columns))
        last = last or self.finished
        late = self._agreed(done.seconds - self.saved_at >= 60.0 * config.checkpoint_minutes)
        better = config.patience is not None and self.progress.best_step == done.step
        if last or late or better or done.step % config.checkpoint_steps == 0:
            self.save()

    def conclude(self) -> None:
        """Write a checkpoint of where the run was stopped, unless there is one."""
        if self.saved is None or self.saved.name != name_of(self.progress.step):
            self.save()

    def rescue(self) -> None:
        """Write a checkpoint of where the run failed, unless there is one or nothing was done.

        Of several processes one alone has failed, and cannot wait for the others.
        """
        if self.accelerator.num_processes == 1 and self.progress.step > 0:
            self.conclude()

    def validate(self) -> None:
        """Estimate the averaged weights' held-out loss, and note it."""
        if self.validation is None:
            self.progress = dataclasses.replace(self.progress, held_out=None)
        else:
            average = cast(InftyDiff, self.average.module)
            share = estimated_loss(
                self.stage.objective(average, self.config, training=False),
                self.validation,
                items=self.config.validation_images,
                process=self.accelerator.process_index,
                processes=self.accelerator.num_processes,
            )
            shares = torch.tensor(share, dtype=torch.float64, device=self.accelerator.device)
            self.progress = self.progress.estimated(self.accelerator.reduce(shares, "sum").item())
        self.journal.estimate(self.progress)

    def save(self) -> None:
        """Write a checkpoint.

        Raises:
            FloatingPointError: if the weights are not finite; nothing is written then.
            OSError: if it cannot be written.
        """
        average, step = cast(InftyDiff, self.average.module), self.progress.step
        if not all(
            bool(w.isfinite().all()) for p in (self.pipeline, average) for w in p.parameters()
        ):
            raise FloatingPointError(
                f"The weights of step {step} are not finite, and are not saved. {self.state()} "
                "Lower the learning rate."
            )
        if self.accelerator.is_main_process:
            checkpoint.save(
                self.out,
                average=average,
                pipeline=self.pipeline,
                optimiser=self.optimiser.optimizer,
                scaler=self.scaler,
                training=self.config,
                progress=self.progress,
            )
        self.accelerator.wait_for_everyone()
        self.saved = self.out / name_of(step)
        self.saved_at = self.progress.seconds

    def state(self) -> str:
        """What there is of the run, should it end now."""
        if self.saved is None:
            return "There is no checkpoint yet."
        return f"The newest checkpoint is {self.saved}, from which the run can be resumed."

    @property
    def finished(self) -> bool:
        """Whether the steps, the minutes or the patience are used up."""
        done, patience = self.progress, self.config.patience
        tired = patience is not None and done.since >= patience
        return self._agreed(tired or self.config.fraction(done.step, done.seconds) >= 1.0)

    def stop_asked(self, signals: StopSignals) -> bool:
        """Whether any process has been asked to stop."""
        return self._agreed(signals.received is not None)

    def _agreed(self, wish: bool) -> bool:
        """Whether any process has the wish."""
        if self.accelerator.num_processes == 1:
            return wish
        wishes = torch.tensor(float(wish), device=self.accelerator.device)
        return bool(self.accelerator.reduce(wishes, "sum") > 0)
