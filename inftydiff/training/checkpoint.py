"""Checkpoints: folders of safetensors and JSON that appear at once or not at all.

A run folder holds one folder a checkpoint::

    run/step-00001000/model.safetensors      the averaged weights, which are what one uses
                      training.safetensors   the last weights and the optimiser's state
                      config.json            the configurations, and how far the run had come

A checkpoint is written beside its place, flushed to the disk, and then renamed. Nothing is pickled.
The order of the pictures and all randomness follow from the seed and the step, see
:mod:`inftydiff.training._batches`, and need no file. The digests of the files of tensors stand in
``config.json``, so that a changed file is found out.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inftydiff._components import from_record, to_record
from inftydiff._extras import extra
from inftydiff._writing import reason, whole_folder
from inftydiff.pipelines import InftyDiff, InftyDiffConfig
from inftydiff.pipelines._weights import (
    as_loaded,
    as_stored,
    cast_weights,
    check_names,
)
from inftydiff.pipelines.checkpoints import (
    CONFIG,
    MODEL,
    VERSION,
    digest_of,
    instead_of,
    latest,
    name_of,
    read_checked,
    read_record,
    steps_in,
)
from inftydiff.training._folders import TRAINING, prune
from inftydiff.training.progress import Progress
from inftydiff.training.settings import TrainConfig

with extra("train"):
    import safetensors
    from safetensors.torch import save_file

__all__ = ["best", "load_training", "read_progress", "read_settings", "save"]

SCALER = {"scale": float, "_growth_tracker": int}
"""What changes in the state of a loss scaler."""

VERSION_1 = {
    "accumulate": "gradient_accumulation",
    "flips": "horizontal_flip",
    "recompute": "gradient_checkpointing",
}
"""The settings that checkpoints of version 1 call by another name."""


def best(run: str | Path) -> Path:
    """The checkpoint with the lowest held-out loss, of a run with ``patience``.

    Raises:
        ValueError: if there is none: such checkpoints are kept if the run was given a patience.
    """
    newest = latest(run)
    step = read_settings(newest)[2].best_step
    found = [] if step is None else [f for f in steps_in(newest.parent) if f.name == name_of(step)]
    if not found:
        raise ValueError(
            f"{run} does not keep its best checkpoint. A run does if it is given a patience and "
            "held-out pictures; the newest is "
            f"{newest}. Load that, or train with a patience."
        )
    return found[0]


def read_progress(path: str | Path) -> Progress:
    """How far the run of a checkpoint had come.

    Raises:
        ValueError: as :func:`read_settings`.
    """
    return read_settings(latest(path))[2]


def read_settings(folder: Path) -> tuple[InftyDiffConfig, TrainConfig, Progress]:
    """What a checkpoint's ``config.json`` says.

    Raises:
        ValueError: if the file is missing, no JSON, of another version, or has an unknown key.
    """
    file = folder / CONFIG
    try:
        record = read_record(folder)
        return (
            InftyDiffConfig.from_json(json.dumps(record["pipeline"])),
            from_record(TrainConfig, _training(record)),
            from_record(Progress, record["progress"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = str(error).removesuffix(".")
        raise ValueError(
            f"{file} cannot be read as a checkpoint's settings: {said}. {instead_of(folder)}"
        ) from error


def _training(record: Mapping[str, Any]) -> Any:
    """Return the record of a run's settings, in the words of today."""
    training = record["training"]
    if record["version"] > 1 or not isinstance(training, Mapping):
        return training
    return {VERSION_1.get(name, name): value for name, value in training.items()}


def save(
    run: Path,
    *,
    average: InftyDiff,
    pipeline: InftyDiff,
    optimiser: torch.optim.Optimizer,
    training: TrainConfig,
    progress: Progress,
    scaler: torch.amp.GradScaler | None = None,
) -> Path:
    """Write a checkpoint, and afterwards remove all but the newest ``training.keep``.

    The best one stays too, if the run has a patience.

    Returns:
        The checkpoint's folder.

    Raises:
        OSError: if it cannot be written, for instance because the disk is full; the checkpoints
            before are as they were.
    """
    folder = run / name_of(progress.step)
    try:
        if folder.is_symlink() or folder.exists():
            raise OSError(f"{folder} is in the way; remove it")
        with whole_folder(folder) as partial:
            save_file(_contiguous(average.plain_state()), partial / MODEL)
            save_file(_training_tensors(pipeline, optimiser, scaler), partial / TRAINING)
            record = {
                "version": VERSION,
                "pipeline": json.loads(average.config.to_json()),
                "training": to_record(training),
                "progress": to_record(progress),
                "digests": {name: digest_of(partial / name) for name in (MODEL, TRAINING)},
            }
            text = json.dumps(record, indent=2, allow_nan=False)
            (partial / CONFIG).write_text(text, encoding="utf-8")
            for name in (MODEL, TRAINING):  # safetensors lets the owner alone read them
                shutil.copymode(partial / CONFIG, partial / name)
    except (OSError, safetensors.SafetensorError) as error:
        raise OSError(_not_written(run, progress.step, error)) from error
    best_step = None if training.patience is None else progress.best_step
    prune(run, training.keep, also=None if best_step is None else name_of(best_step))
    return folder


def _not_written(run: Path, step: int, error: Exception) -> str:
    """That a checkpoint could not be written, and what is left."""
    before = [folder for folder in steps_in(run) if folder.name != name_of(step)]
    left = f"{before[-1].name} is intact" if before else "There is none before it"
    return (
        f"The checkpoint of step {step} could not be written to {run}: {reason(error)}. {left}; "
        "make room there, and resume."
    )


def load_training(
    folder: Path,
    pipeline: InftyDiff,
    optimiser: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler | None = None,
) -> None:
    """Load the last weights and the optimiser's state into objects made with the same settings.

    The scaler's state too, if there is a scaler, and the run before had one.

    Raises:
        ValueError: if the file is missing or damaged, or belongs to another model.
    """
    file = folder / TRAINING
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    tensors = read_checked(
        file,
        lambda header: check_names(
            as_stored(_kept(pipeline, weights, header)), header, source=str(file)
        ),
    )
    dtypes = {name: value.dtype for name, value in tensors.items()}
    tensors = cast_weights(tensors, dtypes, source=str(file))
    tensors = as_loaded(tensors, _kept(pipeline, weights, tensors))
    pipeline.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = _laid_out_like(weights[int(index)], value)
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    if scaler is not None and "scaler.scale" in tensors:
        known = {key: kind(tensors[f"scaler.{key}"].item()) for key, kind in SCALER.items()}
        scaler.load_state_dict(scaler.state_dict() | known)


def _kept(
    pipeline: InftyDiff, weights: Sequence[Tensor], header: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Find what a file of training has; weights never moved have no state in the optimiser."""
    number = torch.empty((), device="meta")
    kept = {f"model.{name}": value for name, value in pipeline.state_dict().items()}
    for index, weight in enumerate(weights):
        if f"optimiser.{index}.step" in header:
            moments = {"step": number, "exp_avg": weight, "exp_avg_sq": weight}
            kept |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
    if "scaler.scale" in header:
        kept |= {f"scaler.{key}": number for key in SCALER}
    return kept


def _training_tensors(
    pipeline: InftyDiff, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler | None
) -> dict[str, Tensor]:
    """The last weights, the optimiser's state and the scaler's by name."""
    tensors = {f"model.{name}": value for name, value in pipeline.plain_state().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    if scaler is not None:
        now = scaler.state_dict()
        tensors |= {f"scaler.{key}": torch.tensor(now[key], dtype=torch.float64) for key in SCALER}
    return _contiguous(as_stored(tensors))


def _laid_out_like(weight: Tensor, value: Tensor) -> Tensor:
    """The value with the strides of its weight, which a file does not keep."""
    if value.shape != weight.shape:
        return value
    return torch.empty_like(weight, dtype=value.dtype, device="cpu").copy_(value)


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().contiguous() for name, value in tensors.items()}
