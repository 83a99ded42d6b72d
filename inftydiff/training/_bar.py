"""The progress bar of a training run."""

import sys
from types import TracebackType
from typing import final

from inftydiff._extras import extra
from inftydiff.training.progress import Progress
from inftydiff.training.settings import TrainConfig

with extra("train"):
    from tqdm import tqdm

__all__ = ["Bar", "seconds_between_updates"]

WHOLE = 1000
FORMAT = "{percentage:3.0f}%|{bar}| {desc}"


def seconds_between_updates() -> float:
    """Few enough that a terminal moves, many enough that a log file stays short."""
    return 0.2 if sys.stderr.isatty() else 15.0


@final
class Bar:
    """A bar that fills by steps or by minutes, whichever ends the run first.

    Args:
        config: the settings of the run.
        progress: where it begins.
        visible: whether to show it.
    """

    def __init__(self, config: TrainConfig, progress: Progress, visible: bool) -> None:
        self.config = config
        self.begin = progress
        self.bar = tqdm(
            total=WHOLE,
            disable=not visible,
            bar_format=FORMAT,
            mininterval=seconds_between_updates(),
            ncols=None if sys.stderr.isatty() else 100,
        )

    def show(self, progress: Progress, batch: int, skipped: str | None = None) -> None:
        """Show how far the run has come.

        Args:
            progress: how far that is.
            batch: pictures a step, over all processes.
            skipped: why the last step was skipped, if it was.
        """
        if self.bar.disable:
            return
        if skipped is not None:
            self.bar.write(f"Step {progress.step} was skipped: {skipped}.", file=sys.stderr)
        done = self.config.fraction(progress.step, progress.seconds)
        before = self.config.fraction(self.begin.step, self.begin.seconds)
        seconds = max(progress.seconds - self.begin.seconds, 1e-9)
        left = seconds * (1.0 - done) / max(done - before, 1e-9) / 60.0
        speed = (progress.step - self.begin.step) * batch / seconds
        held_out = "" if progress.held_out is None else f", held out {progress.held_out:.3f}"
        loss = "-" if progress.loss is None else f"{progress.loss:.3f}"
        self.bar.set_description_str(
            f"step {progress.step}, loss {loss}{held_out}, {speed:.0f} images/s, "
            f"{left:.1f} min left",
            refresh=False,
        )
        self.bar.update(int(WHOLE * done) - self.bar.n)

    def __enter__(self) -> "Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.refresh()
        self.bar.close()
