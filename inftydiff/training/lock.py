"""One run a folder: a lock that its end, or its crash, releases."""

from pathlib import Path
from types import TracebackType
from typing import final

from inftydiff._extras import extra
from inftydiff._writing import reason
from inftydiff.pipelines.checkpoints import LOCK

__all__ = ["RunLock"]


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
