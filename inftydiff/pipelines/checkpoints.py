"""The models in the checkpoints of training runs, and in folders of saved models.

A run folder holds one folder a checkpoint, ``step-00001000`` and so on, with the averaged weights
in ``model.safetensors`` and the configuration, among other things, in ``config.json``. How they are
written, and what else is in them, is in :mod:`inftydiff.training.checkpoint`. A path that leads to
no checkpoint is refused, a pickle by its name and without being opened; a link is no checkpoint.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inftydiff._reading import read_json
from inftydiff._typing import a_path
from inftydiff.pipelines._pretrained import PICKLES, is_pretrained
from inftydiff.pipelines._weights import check_names, read_tensors
from inftydiff.pipelines.config import InftyDiffConfig
from inftydiff.pipelines.infty_diff import InftyDiff

__all__ = [
    "CONFIG",
    "LOCK",
    "MODEL",
    "VERSION",
    "begun",
    "digest_of",
    "instead_of",
    "latest",
    "load_pipeline",
    "name_of",
    "pickles_in",
    "read_checked",
    "read_model_config",
    "read_record",
    "steps_in",
]

MODEL, CONFIG, LOCK = "model.safetensors", "config.json", ".lock"
VERSION = 2
FOLDER = re.compile(r"step-([0-9]{8,18})")


def load_pipeline(path: str | Path, *, device: torch.device | str = "cpu") -> InftyDiff:
    """Load the model of a checkpoint, with its averaged weights, for evaluation; or a saved model.

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
    file = folder / MODEL
    return InftyDiff.assemble(
        read_model_config(folder),
        lambda state: read_checked(
            file, lambda header: check_names(state, header, source=str(file))
        ),
        file=file,
        device=device,
    )


def name_of(step: int) -> str:
    """The name of a checkpoint's folder."""
    return f"step-{step:08d}"


def steps_in(run: Path) -> list[Path]:
    """The checkpoints of a run folder, the oldest first; a link is none."""
    if not run.is_dir():
        return []
    found = (path for path in run.iterdir() if FOLDER.fullmatch(path.name))
    return sorted(
        (path for path in found if path.is_dir() and not path.is_symlink()),
        key=lambda path: int(path.name.removeprefix("step-")),
    )


def pickles_in(folder: Path) -> list[str]:
    """The names of files in a folder that end like those of pickled weights."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(path.name for path in files if path.suffix.lower() in PICKLES)


def latest(path: str | Path) -> Path:
    """The newest checkpoint of a run folder; a checkpoint's own folder is itself.

    Raises:
        TypeError: if the path is none.
        ValueError: if there is no checkpoint.
    """
    path = a_path(path, "The folder of a run or a checkpoint")
    if (path / CONFIG).is_file():
        return path
    found = steps_in(path)
    if found:
        return found[-1]
    raise ValueError(_nothing_at(path))


def begun(run: Path) -> bool:
    """Say whether a run has begun in a folder, and ended before its first checkpoint."""
    return (run / LOCK).is_file() and not steps_in(run)


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record in a checkpoint's ``config.json``, of this version or of one before it.

    Raises:
        ValueError: if there is none, or one of a newer version.
        OSError: if it cannot be read.
    """
    record = read_json(folder / CONFIG, within=folder)
    if not isinstance(record, dict):
        raise ValueError(f"it holds a mapping; got {type(record).__name__}")
    if record.get("version") not in (1, VERSION):
        raise ValueError(
            f"its version is {record.get('version')!r:.80}, and this release reads 1 to {VERSION}"
        )
    return record


def read_model_config(folder: Path) -> InftyDiffConfig:
    """Read the configuration of the model of a checkpoint.

    Raises:
        ValueError: if the file is missing, no JSON, of another version, or has an unknown key.
    """
    try:
        return InftyDiffConfig.from_json(json.dumps(read_record(folder)["pipeline"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = str(error).removesuffix(".")
        raise ValueError(
            f"{folder / CONFIG} cannot be read as a checkpoint's settings: {said}. "
            f"{instead_of(folder)}"
        ) from error


def read_checked(file: Path, check: Callable[[Mapping[str, Tensor]], None]) -> dict[str, Tensor]:
    """Read a file of tensors of a checkpoint, and compare it with its digest there.

    Args:
        file: the file.
        check: refuses others than those wanted; as ``read_tensors`` takes it.

    Raises:
        ValueError: if it is missing, damaged, or not the file that was written.
    """
    try:
        tensors, _ = read_tensors(file, check, within=file.parent)
        expected = read_record(file.parent).get("digests", {})
    except (OSError, ValueError) as error:
        others = [] if file.exists() else pickles_in(file.parent)
        hint = f" {', '.join(others)} beside it is a pickle, and is not read." if others else ""
        said = str(error).removesuffix(".")
        raise ValueError(f"{said}.{hint} {instead_of(file.parent)}") from error
    if isinstance(expected, dict) and expected.get(file.name) not in (None, digest_of(file)):
        raise ValueError(
            f"{file} is not the file that was written: its SHA-256 is not the one in {CONFIG}. "
            f"{instead_of(file.parent)}"
        )
    return tensors


def instead_of(folder: Path) -> str:
    """Say what to do about a checkpoint that cannot be read."""
    every = steps_in(folder.parent)
    before = every[: every.index(folder)] if folder in every else []
    if not before:
        return "Restore it; there is no checkpoint before it."
    return f"Restore it, or remove {folder} to resume from {before[-1].name}."


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _nothing_at(path: Path) -> str:
    """Return what is wrong with a path that leads to no checkpoint."""
    what = (
        f"a checkpoint is a folder step-… with {MODEL} and {CONFIG}, or the folder of such. Give "
        "one."
    )
    pickles = [path.name] if path.suffix.lower() in PICKLES else pickles_in(path)
    if pickles:
        return (
            f"{path} is refused: {', '.join(pickles)} would be read by pickle, which runs whatever "
            f"code it holds. Weights are read from safetensors alone; {what}"
        )
    if path.is_file():
        return f"{path} is a file; {what}"
    if begun(path):
        return (
            f"{path} holds no checkpoint: its run ended before the first. Resume the run, which "
            "begins anew, or remove the folder."
        )
    inside = [f for f in (path.iterdir() if path.is_dir() else ()) if steps_in(f)]
    hint = f" There is one in {inside[0]}." if inside else ""
    return f"{path} {'holds no checkpoint' if path.exists() else 'does not exist'}; {what}{hint}"
