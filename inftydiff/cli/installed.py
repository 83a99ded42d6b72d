"""What is installed here: the libraries of every extra, a compiler, weights in the package."""

import os
import shutil
import textwrap
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from inftydiff.cli.extras import EXTRAS
from inftydiff.pipelines.pretrained import WEIGHTS
from inftydiff.pipelines.shipped import shipped

__all__ = ["installed_lines", "size_of"]

OTHERS: Final = ("datasets",)
"""What is used if it is installed, and no extra installs."""

COMPILERS: Final = ("g++", "clang++", "c++")
WIDTH: Final = 100


def installed_lines() -> Iterator[str]:
    """The lines of the report on what is installed."""
    yield "Libraries, by the extra that installs them"
    for extra, names in EXTRAS.items():
        yield _line(extra, names, f'pip install "inftydiff[{extra}]"')
    yield _line("others", OTHERS, f"pip install {' '.join(n for n in OTHERS if not _found(n))}")
    yield ""
    compiler = _compiler()
    yield f"For --compile: {compiler or 'no compiler was found, such as ' + COMPILERS[0]}"
    sizes = [f"{n} ({size_of((f / WEIGHTS).stat().st_size)})" for n, f in shipped().items()]
    yield f"Weights in the package: {', '.join(sizes) or 'none'}"


def size_of(count: int) -> str:
    """A number of bytes, in units that suit it.

    Example:
        >>> size_of(2_500_000)
        '2.50 MB'
    """
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.2f} MB"


def _line(extra: str, names: tuple[str, ...], command: str) -> str:
    """The versions of an extra's libraries, and how to install those that are missing."""
    found = [f"{name} {_found(name) or 'missing'}" for name in names]
    more = "" if all(map(_found, names)) else f"; {command}"
    return textwrap.fill(
        ", ".join(found) + more,
        WIDTH,
        initial_indent=f"  {extra:12s} ",
        subsequent_indent=" " * 15,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _found(name: str) -> str | None:
    """The version of a library, if it is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _compiler() -> str | None:
    """Where a compiler of C++ is that torch would call."""
    names = (os.environ.get("CXX", ""), *COMPILERS)
    return next((path for name in names if name and (path := shutil.which(name))), None)
