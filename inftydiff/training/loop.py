"""The training loop: one denoising step after another, with checkpoints and held-out losses.

It runs on ``accelerate``: on a CPU, a GPU, or several processes started by ``accelerate launch``.
"""

from collections.abc import Sized
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff.pipelines import InftyDiff, InftyDiffConfig
from inftydiff.training.bar import Bar
from inftydiff.training.batches import living_workers
from inftydiff.training.compiling import require_compiler
from inftydiff.training.config import TrainConfig
from inftydiff.training.folders import require_run
from inftydiff.training.journal import require_tensorboard
from inftydiff.training.lock import RunLock
from inftydiff.training.run import Run
from inftydiff.training.signals import Interrupted, StopSignals

__all__ = ["Interrupted", "check_data", "train"]


def train(
    pipeline_config: InftyDiffConfig,
    train_data: Dataset[Tensor],
    validation_data: Dataset[Tensor] | None,
    config: TrainConfig,
    out: str | Path,
    *,
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
        resume: go on from the newest checkpoint in the run folder. The model must be the same;
            other settings of the run take effect from there on.
        progress: show a progress bar.

    Returns:
        The model with averaged weights, in evaluation mode.

    Raises:
        ValueError: if the pictures do not suit the model, there are fewer than a batch, the run
            folder holds checkpoints (without ``resume``), none or those of another model (with it),
            another run is writing to it, nothing can be compiled here but is to be, or there is a
            patience and no held-out pictures.
        ModuleNotFoundError: if tensorboard is asked for and not installed.
        Interrupted: after Ctrl-C or SIGTERM, when the state has been saved.
        FloatingPointError: if ``max_skipped`` steps in a row had no finite loss and gradient.
        ChildProcessError: if a process that reads pictures dies.
        OSError: if a checkpoint cannot be written; those before are intact.
    """
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=not _has_accelerator(), mixed_precision="no")
    check_data(pipeline_config, train_data)
    if validation_data is not None:
        check_data(pipeline_config, validation_data)
    elif config.patience is not None:
        raise ValueError("patience waits for a held-out loss; give held-out pictures.")
    if config.tensorboard:
        require_tensorboard()
    if config.compile:
        require_compiler(accelerator.device)
    run = Run(accelerator, pipeline_config, train_data, validation_data, config, Path(out))
    require_run(run.out, resume)
    with RunLock(run.out, accelerator.is_main_process), run.journal, StopSignals() as signals:
        run.prepare(resume)
        with (
            living_workers(run.state),
            Bar(config, run.progress, progress and accelerator.is_main_process) as bar,
        ):
            for images in run.loader():
                if run.finished or run.stop_asked(signals):
                    break
                outcome = run.step(images)
                bar.show(run.progress, run.batch, outcome.reason)
                run.attend()
            run.conclude()
    if signals.received is not None and not run.finished:
        raise Interrupted(cast(Path, run.saved), signals.received)
    return cast(InftyDiff, run.average.module)


def check_data(config: InftyDiffConfig, data: Dataset[Tensor]) -> None:
    """Refuse pictures that do not suit a model.

    Raises:
        ValueError: if there are none, or they have another shape than ``(c, h, w)`` with the
            model's channels and proportions.
    """
    if len(cast(Sized, data)) == 0:
        raise ValueError("Training and validation data hold at least one picture; got none.")
    shape = tuple(data[0].shape)
    if len(shape) != 3 or shape[0] != config.channels:
        raise ValueError(
            f"This model takes pictures of shape ({config.channels}, h, w); got {shape}. Set the "
            "network's channels to those of the data."
        )
    lengths = tuple(n / max(shape[1:]) for n in shape[1:])
    if any(abs(a - b) > 0.5 / max(shape[1:]) for a, b in zip(lengths, config.lengths, strict=True)):
        raise ValueError(
            f"This model's domain has the sides {config.lengths}; pictures of {shape[1]} rows and "
            f"{shape[2]} columns need {lengths}."
        )


def _has_accelerator() -> bool:
    """Whether there is a GPU; without, accelerate has to be told so to see several processes."""
    kinds = (torch.cuda, torch.xpu, torch.backends.mps)
    return any(kind.is_available() for kind in kinds)
