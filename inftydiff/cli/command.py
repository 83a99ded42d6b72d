"""What the commands share: options, output folders, and what a run has come to in words.

Nothing of the user's is overwritten unasked, and errors come before the work.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, cast

from inftydiff import _writing
from inftydiff.cli.components import Form, chosen_kinds, form_of
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.training import read_progress

__all__ = [
    "MOST_PICTURES",
    "Command",
    "parameters",
    "require_free",
    "require_writable",
    "training_report",
]

Chosen = TypeVar("Chosen", bound="Command")


class Command(ABC):
    """A command: a frozen dataclass of its arguments that can be run."""

    @classmethod
    def parse(cls: type[Chosen], words: Sequence[str], *, prog: str) -> Chosen:
        """Parse the words of a command.

        Args:
            words: the words after its name.
            prog: what it is called, such as ``"inftydiff sample"``.

        Raises:
            ValueError: if a component is of an unknown kind, or refuses a value.
            SystemExit: if the words are none that the command takes, or ask for help.
        """
        return cast(Chosen, cls.form(words).parse(words, prog=prog))

    @classmethod
    def form(cls, words: Sequence[str]) -> Form:
        """Return what the words are parsed by, with the settings of the components they choose.

        Args:
            words: the words after the command's name.

        Raises:
            ValueError: if a component is of an unknown kind.
        """
        return form_of(cls, chosen_kinds(words))

    @abstractmethod
    def run(self, words: Sequence[str]) -> None:
        """Run the command.

        Args:
            words: the words after the command's name.
        """


MOST_PICTURES = 10**6
"""The most pictures that one command draws or reads."""


def require_free(folder: Path, own: Sequence[str], *, overwrite: bool) -> None:
    """Refuse an output folder that has content, without touching it.

    Args:
        folder: the folder.
        own: the names that will be written there.
        overwrite: allow content; what has one of the names will be replaced.

    Raises:
        ValueError: if the folder is a file, or has content and it may not be overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(
            f"{folder} is a file, and a folder is to be written there. Choose another --out."
        )
    entries = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if entries and not overwrite:
        shown = ", ".join(entries[:3]) + (", …" if len(entries) > 3 else "")
        raise ValueError(
            f"{folder} is not empty ({shown}). Choose another --out, or pass --overwrite to "
            f"replace {', '.join(own)} there; other files stay."
        )


def require_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to, or cannot be made, without making it.

    Raises:
        ValueError: if so.
    """
    _writing.require_writable(folder, "Choose another --out.")


def parameters(pipeline: InftyDiff) -> int:
    """The number of parameters of a model."""
    return sum(weight.numel() for weight in pipeline.parameters())


def training_report(
    run: Path, *, loss: str = "squared error over the square of the network's scale"
) -> str:
    """A few lines on a run folder: size, steps, speed and losses.

    Args:
        run: the run folder.
        loss: what the loss is.
    """
    done = read_progress(run)
    lines = [
        f"Parameters     {parameters(load_pipeline(run)):,}",
        f"Steps          {done.step} in {done.seconds / 60:.1f} minutes, "
        f"{done.seconds / max(1, done.step):.3f} seconds each",
        f"Training loss  {done.loss:.4f} ({loss})",
    ]
    if done.held_out is not None:
        lines.append(f"Held-out loss  {done.held_out:.4f}")
    return "\n".join([*lines, f"Checkpoints    {run}"])
