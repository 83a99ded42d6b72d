"""The folders of a run: which checkpoints it has, and which of them stay.

A path that leads to no checkpoint is refused, a pickle by its name and without being opened. A link
in a run folder is no checkpoint, and where a run writes it is refused.
"""

import contextlib
import re
import shutil
from pathlib import Path

from inftydiff._typing import a_path
from inftydiff._writing import MARK, unfinished
from inftydiff.pipelines.pretrained import PICKLES

__all__ = [
    "BOARD",
    "CONFIG",
    "LOCK",
    "LOG",
    "MODEL",
    "SAMPLES",
    "STEPS",
    "TRAINING",
    "begun",
    "latest",
    "name_of",
    "pickles_in",
    "prune",
    "remove_partial",
    "require_run",
    "steps_in",
]

MODEL, TRAINING, CONFIG = "model.safetensors", "training.safetensors", "config.json"
LOCK, LOG, STEPS = ".lock", "log.jsonl", "steps.jsonl"
SAMPLES, BOARD = "samples", "tensorboard"
WRITTEN = (LOCK, LOG, STEPS, SAMPLES, BOARD)
"""What a run writes beside its checkpoints."""

FOLDER = re.compile(r"step-([0-9]{8,18})")
UNFINISHED = re.compile(rf"(step-[0-9]{{8,18}})?{re.escape(MARK)}[0-9a-f-]{{8,40}}(\.\w+)?")


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
    """Whether a run has begun in a folder, and ended before its first checkpoint."""
    return (run / LOCK).is_file() and not steps_in(run)


def require_run(run: Path, resume: bool) -> None:
    """Refuse to begin a run in a folder that holds one, or to resume where there is none.

    A run that ended before its first checkpoint is resumed from its beginning.

    Raises:
        ValueError: in either case, or if something that a run writes is a link there.
    """
    for name in WRITTEN:
        if (run / name).is_symlink():
            raise ValueError(
                f"{run / name} is a link, and a run follows none. Remove it, or give another "
                "folder."
            )
    if resume and not begun(run):
        try:
            latest(run)
        except ValueError as error:
            raise ValueError(f"{error} Leave out --resume to begin a run.") from None
    elif not resume and steps_in(run):
        raise ValueError(
            f"{run} holds the checkpoints of a run, the newest of them {latest(run).name}. Resume "
            "it, or give another folder."
        )
    elif not resume and run.exists() and not run.is_dir():
        raise ValueError(f"{run} is a file, and a run takes a folder. Give another path.")


def remove_partial(run: Path) -> None:
    """Remove what interrupted writes have left in a run folder, and nothing else."""
    for folder in (run, run / SAMPLES):
        for path in folder.iterdir() if folder.is_dir() else ():
            if UNFINISHED.fullmatch(path.name) and not path.is_symlink():
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def prune(run: Path, keep: int, also: str | None = None) -> None:
    """Remove all checkpoints but the newest, and one with another name.

    A folder that holds something else stays, and so does one that cannot be removed. It has another
    name before its files go, so that half of a checkpoint is never taken for one.
    """
    for old in steps_in(run)[:-keep]:
        own = {path.name for path in old.iterdir()} <= {CONFIG, MODEL, TRAINING}
        if own and old.name != also:
            partial = unfinished(run)
            with contextlib.suppress(OSError):
                old.rename(partial)
                shutil.rmtree(partial, ignore_errors=True)


def _nothing_at(path: Path) -> str:
    """What is wrong with a path that leads to no checkpoint."""
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
