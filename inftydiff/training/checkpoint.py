"""Checkpoints: folders of safetensors and JSON that appear at once or not at all.

A run folder holds one folder a checkpoint::

    run/step-00001000/model.safetensors      the averaged weights, which are what one uses
                      training.safetensors   the last weights and the optimiser's state
                      config.json            the configurations, and how far the run had come

A checkpoint is written beside its place, flushed to the disk, and then renamed. Nothing is pickled.
The order of the pictures and all randomness follow from the seed and the step, see
:mod:`inftydiff.training.order`, and need no file.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from inftydiff.pipelines import InftyDiff, InftyDiffConfig
from inftydiff.pipelines.pretrained import is_pretrained
from inftydiff.pipelines.records import from_record, to_record
from inftydiff.training.config import Progress, TrainConfig

__all__ = [
    "latest",
    "load_pipeline",
    "load_training",
    "name_of",
    "read_progress",
    "read_settings",
    "remove_partial",
    "require_run",
    "save",
    "steps_in",
]

MODEL, TRAINING, CONFIG = "model.safetensors", "training.safetensors", "config.json"
VERSION = 1
FOLDER = re.compile(r"step-(\d{8,})")


def name_of(step: int) -> str:
    """The name of a checkpoint's folder."""
    return f"step-{step:08d}"


def require_run(run: Path, resume: bool) -> None:
    """Refuse to begin a run in a folder that holds one, or to resume where there is none.

    Raises:
        ValueError: in either case.
    """
    if resume:
        latest(run)
    elif steps_in(run):
        raise ValueError(
            f"{run} holds the checkpoints of a run, the newest of them {latest(run).name}. Resume "
            "it, or give another folder."
        )
    elif run.exists() and not run.is_dir():
        raise ValueError(f"{run} is a file, and a run takes a folder.")


def steps_in(run: Path) -> list[Path]:
    """The checkpoints of a run folder, the oldest first."""
    if not run.is_dir():
        return []
    return sorted(
        (path for path in run.iterdir() if FOLDER.fullmatch(path.name) and path.is_dir()),
        key=lambda path: int(path.name.removeprefix("step-")),
    )


def latest(path: str | Path) -> Path:
    """The newest checkpoint of a run folder; a checkpoint's own folder is itself.

    Raises:
        ValueError: if there is no checkpoint.
    """
    path = Path(path)
    if (path / CONFIG).is_file():
        return path
    found = steps_in(path)
    if found:
        return found[-1]
    inside = [f for f in (path.iterdir() if path.is_dir() else ()) if steps_in(f)]
    hint = f" There is one in {inside[0]}." if inside else ""
    raise ValueError(
        f"{path} {'holds no checkpoint' if path.exists() else 'does not exist'}; a checkpoint is a "
        f"folder step-… with {MODEL} and {CONFIG}, or the folder of such folders.{hint}"
    )


def load_pipeline(path: str | Path, *, device: torch.device | str = "cpu") -> InftyDiff:
    """The model of a checkpoint, with its averaged weights, in evaluation mode; or a saved model.

    Args:
        path: a checkpoint's folder, or a run folder, of which the newest is taken; or what
            :meth:`InftyDiff.from_pretrained` takes.
        device: where the weights are wanted.

    Raises:
        ValueError: if there is no model, or a file of it is missing, damaged or of another version.
    """
    if is_pretrained(path):
        return InftyDiff.from_pretrained(path, device=device)
    folder = latest(path)
    pipeline = InftyDiff(read_settings(folder)[0])
    _load_into(pipeline, _read_tensors(folder / MODEL), folder / MODEL)
    return pipeline.to(device).eval()


def read_progress(path: str | Path) -> Progress:
    """How far the run of a checkpoint had come.

    Raises:
        ValueError: as :func:`load_pipeline`.
    """
    return read_settings(latest(path))[2]


def read_settings(folder: Path) -> tuple[InftyDiffConfig, TrainConfig, Progress]:
    """What a checkpoint's ``config.json`` says.

    Raises:
        ValueError: if the file is missing, no JSON, of another version, or has an unknown key.
    """
    file = folder / CONFIG
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        version = record["version"]
        if version != VERSION:
            raise ValueError(f"its version is {version!r}, and this release reads {VERSION}")
        return (
            InftyDiffConfig.from_json(json.dumps(record["pipeline"])),
            from_record(TrainConfig, record["training"]),
            from_record(Progress, record["progress"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} cannot be read as a checkpoint's settings: {error}.") from error


def save(
    run: Path,
    *,
    average: InftyDiff,
    pipeline: InftyDiff,
    optimiser: torch.optim.Optimizer,
    training: TrainConfig,
    progress: Progress,
) -> Path:
    """Write a checkpoint, and afterwards remove all but the newest ``training.keep``.

    Returns:
        The checkpoint's folder.
    """
    folder = run / name_of(progress.step)
    partial = run / f"{folder.name}.tmp-{secrets.token_hex(4)}"
    partial.mkdir(parents=True)
    try:
        save_file(_contiguous(average.state_dict()), partial / MODEL)
        save_file(_training_tensors(pipeline, optimiser), partial / TRAINING)
        record = {
            "version": VERSION,
            "pipeline": json.loads(average.config.to_json()),
            "training": to_record(training),
            "progress": to_record(progress),
        }
        text = json.dumps(record, indent=2, allow_nan=False)
        (partial / CONFIG).write_text(text, encoding="utf-8")
        for file in [*partial.iterdir(), partial]:
            _flush(file)
        os.replace(partial, folder)
        _flush(run)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    for old in steps_in(run)[: -training.keep]:
        shutil.rmtree(old)
    return folder


def remove_partial(run: Path) -> None:
    """Remove what interrupted writes have left in a run folder."""
    for path in run.glob("step-*.tmp-*"):
        shutil.rmtree(path)


def load_training(folder: Path, pipeline: InftyDiff, optimiser: torch.optim.Optimizer) -> None:
    """Load the last weights and the optimiser's state into objects made with the same settings.

    Raises:
        ValueError: if the file is missing or damaged, or belongs to another model.
    """
    file = folder / TRAINING
    tensors = _read_tensors(file)
    model = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    _load_into(pipeline, model, file)
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, index, name = key.split(".")
            state.setdefault(int(index), {})[name] = _laid_out_like(weights[int(index)], value)
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


def _training_tensors(pipeline: InftyDiff, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The last weights and the optimiser's state by name."""
    tensors = {f"model.{name}": value for name, value in pipeline.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
    return _contiguous(tensors)


def _laid_out_like(weight: Tensor, value: Tensor) -> Tensor:
    """The value with the strides of its weight, which a file does not keep."""
    if value.shape != weight.shape:
        return value
    return torch.empty_like(weight, dtype=value.dtype, device="cpu").copy_(value)


def _contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().contiguous() for name, value in tensors.items()}


def _read_tensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{file} cannot be read as safetensors: {error}.") from error


def _load_into(pipeline: InftyDiff, tensors: Mapping[str, Tensor], file: Path) -> None:
    try:
        pipeline.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise ValueError(f"{file} does not hold the weights of this model: {error}") from error


def _flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle: Any = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
