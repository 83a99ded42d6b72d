"""The folders of a run: which checkpoints it has, and which of them stay.

A link where a run writes is refused.
"""

import contextlib
import re
import shutil
from pathlib import Path

from inftydiff._writing import MARK, unfinished
from inftydiff.pipelines.checkpoints import CONFIG, LOCK, MODEL, begun, latest, steps_in

__all__ = [
    "BOARD",
    "LOG",
    "SAMPLES",
    "STEPS",
    "TRAINING",
    "prune",
    "remove_partial",
    "require_run",
]

TRAINING = "training.safetensors"
LOG, STEPS = "log.jsonl", "steps.jsonl"
SAMPLES, BOARD = "samples", "tensorboard"
WRITTEN = (LOCK, LOG, STEPS, SAMPLES, BOARD)
"""The files and folders that a run writes beside its checkpoints."""

UNFINISHED = re.compile(rf"(step-[0-9]{{8,18}})?{re.escape(MARK)}[0-9a-f-]{{8,40}}(\.\w+)?")


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
