"""The folders of a run: which checkpoints it has, and which of them stay.

A path that leads to no checkpoint is refused, a pickle by its name and without being opened.
"""

import re
import shutil
from pathlib import Path

from inftydiff.pipelines.pretrained import PICKLES

__all__ = [
    "CONFIG",
    "MODEL",
    "TRAINING",
    "latest",
    "name_of",
    "pickles_in",
    "prune",
    "remove_partial",
    "require_run",
    "steps_in",
]

MODEL, TRAINING, CONFIG = "model.safetensors", "training.safetensors", "config.json"
FOLDER = re.compile(r"step-(\d{8,})")


def name_of(step: int) -> str:
    """The name of a checkpoint's folder."""
    return f"step-{step:08d}"


def steps_in(run: Path) -> list[Path]:
    """The checkpoints of a run folder, the oldest first."""
    if not run.is_dir():
        return []
    return sorted(
        (path for path in run.iterdir() if FOLDER.fullmatch(path.name) and path.is_dir()),
        key=lambda path: int(path.name.removeprefix("step-")),
    )


def pickles_in(folder: Path) -> list[str]:
    """The names of files in a folder that end like those of pickled weights."""
    files = folder.iterdir() if folder.is_dir() else ()
    return sorted(path.name for path in files if path.suffix.lower() in PICKLES)


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
    raise ValueError(_nothing_at(path))


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


def remove_partial(run: Path) -> None:
    """Remove what interrupted writes have left in a run folder."""
    for path in run.glob("step-*.tmp-*"):
        shutil.rmtree(path)


def prune(run: Path, keep: int, also: str | None = None) -> None:
    """Remove all checkpoints but the newest, and one with another name."""
    for old in steps_in(run)[:-keep]:
        if old.name != also:
            shutil.rmtree(old)


def _nothing_at(path: Path) -> str:
    """What is wrong with a path that leads to no checkpoint."""
    what = f"a checkpoint is a folder step-… with {MODEL} and {CONFIG}, or the folder of such."
    pickles = [path.name] if path.suffix.lower() in PICKLES else pickles_in(path)
    if pickles:
        return (
            f"{path} is refused: {', '.join(pickles)} would be read by pickle, which runs whatever "
            f"code it holds. Weights are read from safetensors alone; {what}"
        )
    if path.is_file():
        return f"{path} is a file; {what}"
    inside = [f for f in (path.iterdir() if path.is_dir() else ()) if steps_in(f)]
    hint = f" There is one in {inside[0]}." if inside else ""
    return f"{path} {'holds no checkpoint' if path.exists() else 'does not exist'}; {what}{hint}"
