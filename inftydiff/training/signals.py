"""Stopping a run by Ctrl-C or SIGTERM, between two steps."""

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import final

__all__ = ["Interrupted", "StopSignals"]


@final
class Interrupted(KeyboardInterrupt):
    """A run was stopped by a signal, after its state had been saved.

    Args:
        checkpoint: the checkpoint that it can be resumed from.
        signal_number: the signal.
    """

    def __init__(self, checkpoint: Path, signal_number: int) -> None:
        super().__init__(
            f"Stopped by {signal.Signals(signal_number).name}; the state is in {checkpoint}. "
            "Call the same with resume=True to go on."
        )
        self.checkpoint = checkpoint
        self.signal_number = signal_number


@final
class StopSignals:
    """Within the block, the first SIGINT or SIGTERM is noted; a second one acts as it always does.

    Outside the main thread signals cannot be caught, and nothing is changed.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)  # type: ignore[arg-type]
