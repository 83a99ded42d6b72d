"""The text of ``inftydiff --help``, in the look of the commands' own help, and without torch."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping

from inftydiff.cli.commands import COMMANDS

__all__ = ["help_text"]

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
