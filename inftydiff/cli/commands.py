"""The commands: what each does in one line, where it is, and which extra it takes."""

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import inftydiff.cli.command

__all__ = ["COMMANDS", "called", "extra_of", "kind_of"]

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "Draw samples at four resolutions from the weights in the package, or train them "
    "first.",
    "train": "Train a model on your own pictures, or on faces, and leave checkpoints in a folder.",
    "train-prior": "Train the prior of a model with latents (stage two), on the pictures it was "
    "trained on.",
    "sample": "Draw pictures from a trained model, at any size; a seed is one picture, whatever "
    "the size.",
    "reconstruct": "Encode pictures from a random part of their points, and decode the latents at "
    "any sizes.",
    "super-resolve": "Sample finer pictures of coarse ones: --taken-at 32 --size 128, for "
    "instance.",
    "inpaint": "Sample what is hidden of pictures; the rest stays as it is.",
    "from-sensors": "Sample functions of which values at some points are known.",
    "vary": "Sample pictures that are like given ones.",
    "interpolate": "Draw the functions between two pictures, or between two samples.",
    "evaluate": "Measure how far a model's pictures, or any pictures, are from real ones.",
    "info": "Say what is installed here, which backends are taken, and what the presets need.",
}
"""The first lines of the docstrings of the commands' classes, which are imported when chosen."""


def called(word: str) -> str:
    """Return the name of a command, of which hyphens may be underscores.

    Raises:
        ValueError: if no command is called so.

    Example:
        >>> called("train_prior")
        'train-prior'
        >>> called("trian")
        Traceback (most recent call last):
            ...
        ValueError: No command is called 'trian'; the nearest is 'train'. Run inftydiff --help,
        which lists them.
    """
    name = word.replace("_", "-")
    if name in COMMANDS:
        return name
    if name.startswith("-"):
        raise ValueError(
            f"The first word is a command; got {word!r}. Run inftydiff --help, which lists them."
        )
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.0)
    raise ValueError(
        f"No command is called {word!r}; the nearest is {near[0]!r}. Run inftydiff --help, which "
        "lists them."
    )


def kind_of(name: str) -> type["inftydiff.cli.command.Command"]:
    """Return the class of a command: that of ``train-prior`` is ``train_prior.TrainPrior``."""
    module = import_module(f"inftydiff.cli.{name.replace('-', '_')}")
    kind: type[inftydiff.cli.command.Command] = getattr(module, name.title().replace("-", ""))
    return kind


def extra_of(name: str) -> str:
    """Return the extra that has all that a command takes.

    Example:
        >>> extra_of("demo"), extra_of("vary")
        ('demo', 'train')
    """
    return name if name in ("demo", "evaluate") else "train"
