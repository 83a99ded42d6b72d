"""A command that is stopped while Python still imports what it needs says so in one line."""

import sys
from pathlib import Path
from types import TracebackType

__all__ = ["is_command", "tell_in_a_line"]


def is_command() -> bool:
    """Tell whether this process is the command ``inftydiff``, and no program that imports it."""
    module = sys.orig_argv[1:3] == ["-m", "inftydiff.cli"]
    return module or (bool(sys.argv) and Path(sys.argv[0]).stem == "inftydiff")


def tell_in_a_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print one line for Ctrl-C, and for all else what Python prints."""
    if issubclass(kind, KeyboardInterrupt):
        print("\nStopped.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
