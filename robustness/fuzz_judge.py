"""Errors that are documented, and those that are crashes.

A documented error is a ``ValueError``, ``TypeError``, ``IndexError`` or ``FloatingPointError`` that
a ``raise`` of the package has raised, an ``OSError``, a ``ModuleNotFoundError``, or an error that
the package defines. What Python says of a call that it cannot make (a missing argument, operands of
two kinds) and what a caller's own function raises are no fault of the package. All else has come
out of what lies below, unforeseen: a crash.
"""

import dis
import re
from pathlib import Path
from types import TracebackType

__all__ = ["described", "documented", "out_of_memory"]

RAISED = (ValueError, TypeError, IndexError, FloatingPointError)
"""Errors that are documented if the package raises them in so many words."""

ANYWHERE = (OSError, ModuleNotFoundError)
"""Errors that are documented wherever they come from."""

OURS = Path(__file__).parent
"""The fuzzer's own files."""

RAISES = dis.opmap["RAISE_VARARGS"]


def documented(error: BaseException, package: Path) -> bool:
    """Say whether an error is one that callers are told of.

    Args:
        error: the error, with its traceback.
        package: the folder of the package.

    Example:
        >>> documented(KeyError("size"), Path("inftydiff"))
        False
    """
    if isinstance(error, ANYWHERE):
        return True
    if type(error).__module__.partition(".")[0] == package.name:
        return True
    if not isinstance(error, RAISED):
        return False
    last = _deepest(error.__traceback__)
    if last is None or _by_caller(error, last):
        return True
    code = last.tb_frame.f_code
    inside = Path(code.co_filename).is_relative_to(package)
    return inside and code.co_code[last.tb_lasti] == RAISES


def out_of_memory(error: BaseException) -> bool:
    """Say whether the memory did not suffice."""
    words = str(error)
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and bool(re.search(r"can't allocate memory|not enough memory|out of memory", words))
    )


def described(error: BaseException, package: Path) -> str:
    """An error in one line, with where in the package it came from."""
    where, step = "", error.__traceback__
    while step is not None:
        file = Path(step.tb_frame.f_code.co_filename)
        if file.is_relative_to(package):
            where = f" at {file.relative_to(package.parent)}:{step.tb_lineno}"
        step = step.tb_next
    words = " ".join(str(error).split())
    return f"{type(error).__name__}{where}: {words[:300]}"


def _deepest(traceback: TracebackType | None) -> TracebackType | None:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback


def _by_caller(error: BaseException, last: TracebackType) -> bool:
    """Say whether Python could not make the call, or the caller's own function raised."""
    file = last.tb_frame.f_code.co_filename
    if file.startswith("<example") or Path(file).is_relative_to(OURS):
        return True
    # a function of the caller that takes other arguments
    return bool(re.match(r"(<lambda>|refuses)\(\) (takes|missing|got)", str(error)))
