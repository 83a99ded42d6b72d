"""The training loop: one denoising step after another, with checkpoints and held-out losses.

It runs on ``accelerate``: on a CPU, a GPU, or several processes started by ``accelerate launch``.
"""

from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff._extras import extra
from inftydiff._typing import a_path, flag, instance
from inftydiff.models import PriorConfig
from inftydiff.pipelines import InftyDiff, InftyDiffConfig
from inftydiff.training._bar import Bar
from inftydiff.training._batches import UnreadableItem, living_workers
from inftydiff.training._folders import RunLock, require_run
from inftydiff.training._journal import require_tensorboard
from inftydiff.training._run import Run
from inftydiff.training._stages import LatentStage, PictureStage, Stage
from inftydiff.training._update import require_compiler
from inftydiff.training.latents import Latents
from inftydiff.training.settings import TrainConfig
from inftydiff.training.signals import Interrupted, StopSignals

__all__ = ["has_gpu", "is_main_process", "train", "train_prior"]


def has_gpu() -> bool:
    """Whether there is a GPU; without, accelerate has to be told so to see several processes."""
    kinds = (torch.cuda, torch.xpu, torch.backends.mps)
    return any(kind.is_available() for kind in kinds)


def is_main_process() -> bool:
    """Whether this is the process of a run that writes and speaks."""
    with extra("train"):
        from accelerate import PartialState

    return bool(PartialState(cpu=not has_gpu()).is_main_process)


def train(
    pipeline_config: InftyDiffConfig,
    train_data: Dataset[Tensor],
    validation_data: Dataset[Tensor] | None,
    config: TrainConfig,
    out: str | Path,
    *,
    start: InftyDiff | None = None,
    resume: bool = False,
    progress: bool = True,
) -> InftyDiff:
    """Train a model and leave checkpoints of it.

    Ctrl-C (or SIGTERM) ends the run after the current step, when its state has been saved. On one
    process of a CPU a resumed run is bit for bit the run that was not interrupted, as long as
    steps and not minutes decide its end and its learning rate.

    Args:
        pipeline_config: the model.
        train_data: pictures, tensors of shape ``(c, h, w)`` in [-1, 1], all of one shape.
        validation_data: pictures that are not trained on; None for no held-out loss.
        config: the settings of the run.
        out: the run folder; without ``resume`` it must hold no checkpoint.
        start: a model whose weights are taken where they fit, by name and shape, as
            :func:`~inftydiff.training.transfer.take_weights` does; its data, channels and domain
            may be others. By default the weights begin at random.
        resume: go on from the newest checkpoint in the run folder. The model must be the same;
            other settings of the run take effect from there on.
        progress: show a progress bar.

    Returns:
        The model with averaged weights, in evaluation mode.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the pictures do not suit the model, there are fewer than a batch, the run
            folder holds checkpoints (without ``resume``), none or those of another model (with it),
            another run is writing to it, nothing can be compiled here but is to be, or there is a
            patience and no held-out pictures.
        ModuleNotFoundError: if tensorboard is asked for and not installed.
        Interrupted: after Ctrl-C or SIGTERM, when the state has been saved.
        ValueError: also if a picture cannot be read in the middle of the run; a
            checkpoint is written first.
        FloatingPointError: if ``max_skipped`` steps in a row had no finite loss and gradient.
        ChildProcessError: if a process that reads pictures dies.
        OSError: if a checkpoint cannot be written; those before are intact.
    """
    stage = PictureStage(pipeline_config, start)
    return _run(stage, train_data, validation_data, config, a_path(out, "out"), resume, progress)


def train_prior(
    pipeline: InftyDiff,
    latents: Float[Tensor, "samples features"],
    validation: Float[Tensor, "others features"] | None,
    prior: PriorConfig,
    config: TrainConfig,
    out: str | Path,
    *,
    conditions: Float[Tensor, "given conditions"] | None = None,
    validation_conditions: Float[Tensor, "given_others others_conditions"] | None = None,
    drop_condition: float = 0.1,
    resume: bool = False,
    progress: bool = True,
) -> InftyDiff:
    """Train the prior of a model with latents, and leave checkpoints of the two together.

    A prior with a condition learns the law of the latents given their conditions and, from those
    whose condition is hidden, the law of all of them; classifier-free guidance needs both. Which
    are hidden follows from the seed, the step and the latent's number in the batch. The held-out
    loss is that of the conditional law.

    Args:
        pipeline: the model, which stays as it is.
        latents: what the prior is trained on, from
            :func:`~inftydiff.training.latents.encode_pictures`.
        validation: latents that it is not trained on; None for no held-out loss.
        prior: the sizes of the prior.
        config: the settings of the run. ``points`` is noted in the checkpoints, for the part of the
            points that the latents were encoded from; ``horizontal_flip``,
            ``gradient_checkpointing``, ``compile`` and half precisions are for pictures, and are
            refused.
        out: the run folder; without ``resume`` it must hold no checkpoint.
        conditions: what each latent is conditioned on, such as its class as zeros and a one, with
            as many features as ``prior.condition`` says; None for a prior without a condition.
        validation_conditions: those of the held-out latents.
        drop_condition: the probability that the condition of a latent is hidden in a step.
        resume: go on from the newest checkpoint in the run folder, with the same model, latents and
            conditions.
        progress: show a progress bar.

    Returns:
        The model with its prior, in evaluation mode.

    Raises:
        ValueError: as :func:`train`, or if the model has no latents, the conditions are not those
            of the latents or of the prior, or a setting would do nothing.
    """
    stage = LatentStage(pipeline, prior, latents, drop_condition)
    held_out = None if validation is None else Latents(validation, validation_conditions)
    data = Latents(latents, conditions)
    return _run(stage, data, held_out, config, a_path(out, "out"), resume, progress)


def _run(
    stage: Stage,
    data: Dataset[Tensor],
    validation: Dataset[Tensor] | None,
    config: TrainConfig,
    out: Path,
    resume: bool,
    progress: bool,
) -> InftyDiff:
    with extra("train"):
        from accelerate import Accelerator

    instance(config, TrainConfig, "config")
    flag(resume, "resume")
    flag(progress, "progress")
    accelerator = Accelerator(cpu=not has_gpu(), mixed_precision="no")
    stage.check_settings(config)
    stage.check(data)
    if validation is not None:
        stage.check(validation)
    elif config.patience is not None:
        raise ValueError("patience waits for a held-out loss; give held-out pictures.")
    if config.tensorboard:
        require_tensorboard()
    if config.compile:
        require_compiler(accelerator.device)
    run = Run(accelerator, stage, data, validation, config, out)
    stage.check_model(run.pipeline, run.data.shape, config)
    require_run(run.out, resume)
    with RunLock(run.out, accelerator.is_main_process), run.journal, StopSignals() as signals:
        run.prepare(resume)
        with (
            living_workers(run.state),
            Bar(config, run.progress, progress and accelerator.is_main_process) as bar,
        ):
            try:
                for images in run.batches():
                    if run.finished or run.stop_asked(signals):
                        break
                    outcome = run.step(images)
                    bar.show(run.progress, run.batch, outcome.reason)
                    run.attend()
            except UnreadableItem as error:
                run.rescue()
                raise UnreadableItem(f"{error} {run.state()}") from error
            run.conclude()
    if signals.received is not None and not run.finished:
        raise Interrupted(cast(Path, run.saved), signals.received)
    return cast(InftyDiff, run.average.module)
