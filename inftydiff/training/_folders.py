"""The folders of a run: which checkpoints it has, which of them stay, and who may write.

A link where a run writes is refused. A folder has one run at a time, by a lock that its end, or its
crash, releases.
"""

import contextlib
import re
import shutil
from pathlib import Path
from types import TracebackType
from typing import final

from inftydiff._extras import extra
from inftydiff._writing import MARK, reason, unfinished
from inftydiff.pipelines.checkpoints import CONFIG, LOCK, MODEL, begun, latest, steps_in

__all__ = [
    "BOARD",
    "LOG",
    "SAMPLES",
    "STEPS",
    "TRAINING",
    "RunLock",
    "prune",
    "remove_partial",
    "require_run",
]


@final
class RunLock:
    """Within the block, no other process, nor another block, can have the lock of a run folder.

    The operating system holds it, so it does not outlive its process. The file of it stays.

    Args:
        run: the run folder; it is made if need be.
        wanted: whether to take the lock at all; of several processes of a run, one does.

    Raises:
        ValueError: on entering, if another has it.
        OSError: on entering, if the folder cannot be written to.
    """

    def __init__(self, run: Path, wanted: bool = True) -> None:
        with extra("train"):
            from filelock import FileLock

        self.run = run
        self.wanted = wanted
        self.lock = FileLock(run / LOCK)

    def __enter__(self) -> "RunLock":
        from filelock import Timeout

        if self.wanted:
            try:
                self.run.mkdir(parents=True, exist_ok=True)
                self.lock.acquire(timeout=0)
            except Timeout as error:
                raise ValueError(
                    f"Another run is writing to {self.run}. Wait for its end, or give another "
                    "folder."
                ) from error
            except OSError as error:
                raise OSError(
                    f"The run folder {self.run} cannot be written to: {reason(error)}. Make room "
                    "there, or give another folder."
                ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.wanted:
            self.lock.release()


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
