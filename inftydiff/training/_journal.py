"""What a run writes down beside its checkpoints: lines of JSON, sheets of samples, tensorboard.

``log.jsonl`` has a line for every estimate of the held-out loss and for every step that was
skipped; ``steps.jsonl``, if asked for, one for every so many steps. When a run is resumed, lines of
steps that its checkpoint has not done are taken out. Files are written anew beside their places,
so that nothing a link or another name leads to is changed.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, final

from jaxtyping import UInt8
from torch import Tensor

from inftydiff._components import to_record
from inftydiff._extras import extra
from inftydiff._reading import parse_json
from inftydiff._writing import append_line, whole_file
from inftydiff.training._folders import BOARD, LOG, SAMPLES, STEPS
from inftydiff.training._update import Outcome
from inftydiff.training.progress import Progress
from inftydiff.training.settings import TrainConfig

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["Journal", "require_tensorboard"]

POINTS_EVERY = 10
"""Steps between two points of tensorboard's curves, unless ``log_every`` is given."""


def require_tensorboard() -> None:
    """Refuse to go on without tensorboard.

    Raises:
        ModuleNotFoundError: if it is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'tensorboard=True needs tensorboard, which is not installed: pip install "inftydiff'
            '[tensorboard]"',
            name="tensorboard",
        ) from error


@final
class Journal:
    """What one process of a run writes down.

    Args:
        out: the run folder.
        config: the settings of the run.
        batch: pictures a step, over all processes.
        active: whether this process writes at all.
    """

    def __init__(self, out: Path, config: TrainConfig, batch: int, active: bool) -> None:
        self.out = out
        self.config = config
        self.batch = batch
        self.active = active
        self.board: SummaryWriter | None = None
        self.last = Progress()

    def begin(self, done: Progress) -> None:
        """Take up the writing where a run stands."""
        self.last = done
        if not self.active:
            return
        for name in (LOG, STEPS):
            _cut_off(self.out / name, done.step)
        if self.config.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(self.out / BOARD), purge_step=done.step + 1)

    def step(self, done: Progress, outcome: Outcome) -> None:
        """Note a step, if it is time to, or if it was skipped."""
        if not self.active:
            return
        if outcome.reason is not None:
            self._line(LOG, {"step": done.step, "skipped": outcome.reason})
            return
        every = self.config.log_every
        if every is not None and done.step % every == 0:
            self._line(
                STEPS,
                {
                    "step": done.step,
                    "loss": outcome.loss,
                    "gradient": outcome.gradient,
                    "rate": outcome.rate,
                },
            )
        if self.board is not None and done.step % (every or POINTS_EVERY) == 0:
            seconds = max(done.seconds - self.last.seconds, 1e-9)
            speed = (done.step - self.last.step) * self.batch / seconds
            for name, value in (
                ("loss/training", outcome.loss),
                ("gradient", outcome.gradient),
                ("learning rate", outcome.rate),
                ("images a second", speed),
            ):
                self.board.add_scalar(name, value, done.step)
            self.last = done

    def estimate(self, done: Progress) -> None:
        """Note an estimate of the held-out loss."""
        if self.active:
            self._line(LOG, to_record(done))
        if self.board is not None and done.held_out is not None:
            self.board.add_scalar("loss/held out", done.held_out, done.step)

    def samples(self, done: Progress, sheet: UInt8[Tensor, "rows columns 3"]) -> None:
        """Keep a sheet of samples as a picture."""
        if not self.active:
            return
        with extra("train"):
            from PIL import Image

        with whole_file(self.out / SAMPLES / f"step-{done.step:08d}.png") as partial:
            Image.fromarray(sheet.numpy()).save(partial)
        if self.board is not None:
            self.board.add_image("samples", sheet.numpy(), done.step, dataformats="HWC")

    def _line(self, name: str, record: dict[str, Any]) -> None:
        append_line(self.out / name, json.dumps(record))

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.board is not None:
            self.board.close()


def _cut_off(file: Path, step: int) -> None:
    """Take out the lines of later steps, and one that was not written to its end."""
    if file.is_file():
        with file.open("rb") as old, whole_file(file) as partial, partial.open("wb") as new:
            new.writelines(line for line in old if _stays(line, step))


def _stays(line: bytes, step: int) -> bool:
    """Say whether a line is whole and of no later step, or no line of a run, which stays."""
    if not line.endswith(b"\n"):
        return False
    try:
        return bool(parse_json(line.decode("utf-8"))["step"] <= step)
    except (ValueError, KeyError, TypeError):
        return True
