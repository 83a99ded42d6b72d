"""The entry point: parse, run, and turn what goes wrong into one line and an exit status."""

import _thread
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import final

import inftydiff
from inftydiff.cli.front import COMMANDS, called, extra_of, help_text, kind_of, lack_of

__all__ = ["main"]

BAD_INPUT = 2
SOON = 0.1
"""Seconds after which a signal that was ignored is sent once more."""

COMPLETION = "--tyro-"
"""The beginning of the options that write a shell's completions."""

CONFIGURED = ("train", "train-prior")
"""The commands that take a file of settings."""

LESS_MEMORY = {
    "train": "Lower --batch-size, or use --gradient-accumulation or --gradient-checkpointing.",
    "train-prior": "Lower --batch-size, or use --gradient-accumulation.",
}
"""What to do where the memory does not suffice; of other commands, ``SMALLER``."""
SMALLER = "Ask for smaller pictures, or for fewer."


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments; by default those of the process.

    Returns:
        The exit status, which is 0, or 2 for what the user can put right, or 128 plus the signal's
        number after a signal. ``--debug`` raises errors instead.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv
    argv = [word for word in argv if word != "--debug"] or ["--help"]
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who began the process
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # nobody may read it any more
                stream.reconfigure(errors="backslashreplace")  # what it cannot show
    try:
        with _ended_in_order():
            status = _run(argv)
            sys.stdout.flush()
        return status
    except KeyboardInterrupt as stop:
        return _stopped(stop)
    except BrokenPipeError:
        return _unread()
    except Exception as error:
        if debug or not (_memory(error) or _expected(error)):
            raise
        text, name = " ".join(str(error).split()), argv[0].replace("_", "-")
        if _memory(error):
            text = f"Out of memory. {LESS_MEMORY.get(name, SMALLER)} {text}".rstrip()
        elif isinstance(error, ModuleNotFoundError):
            text = lack_of(name, error.name or "", extra_of(name)) or text
        print(f"inftydiff: {text}", file=sys.stderr)
        return BAD_INPUT
    finally:
        _leave_nothing()


def _expected(error: Exception) -> bool:
    """Whether an error is one that the user can put right, and no fault of the program."""
    kinds: tuple[type[Exception], ...] = (ValueError, TypeError, OSError)
    kinds += ModuleNotFoundError, FloatingPointError
    if "safetensors" in sys.modules:  # else nothing has raised this error
        from safetensors import SafetensorError

        kinds += (SafetensorError,)
    return isinstance(error, kinds)


def _memory(error: Exception) -> bool:
    """Whether the memory did not suffice; on CPUs torch says so in words alone."""
    if isinstance(error, MemoryError):
        return True
    if "torch" in sys.modules:  # else nothing has raised this error
        import torch

        if isinstance(error, torch.OutOfMemoryError):
            return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


@final
class _Terminated(KeyboardInterrupt):
    """The command was asked to end by SIGTERM."""


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM, like SIGINT, end what is done within the block and clean up behind it.

    A signal that arrives where Python ignores errors, such as in a finaliser, is sent once more.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    def ignored(what: "sys.UnraisableHookArgs") -> None:
        if not issubclass(what.exc_type, KeyboardInterrupt):
            hook(what)
            return
        terminated = issubclass(what.exc_type, _Terminated)
        number = signal.SIGTERM if terminated else signal.SIGINT
        threading.Timer(SOON, _thread.interrupt_main, (number,)).start()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, hook = signal.signal(signal.SIGTERM, end), sys.unraisablehook
    sys.unraisablehook = ignored
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGTERM, before)


def _leave_nothing() -> None:
    """Print what has been kept back, or drop it where that fails, before Python tries to."""
    try:
        sys.stdout.flush()
    except OSError:
        _unread()


def _unread() -> int:
    """Be silent where nobody reads any more what is printed, and return the exit status."""
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # what is left is flushed when the process ends
            os.dup2(silence, stream.fileno())
    os.close(silence)
    return 128 + signal.SIGPIPE


def _stopped(stop: KeyboardInterrupt) -> int:
    """Say that a signal ended the command, and return the exit status."""
    if "inftydiff.training" in sys.modules:  # else nothing has been trained
        from inftydiff.training import Interrupted

        if isinstance(stop, Interrupted):
            print(f"\nStopped; the state is in {stop.checkpoint}.", file=sys.stderr)
            return 128 + stop.signal_number
    print("\nStopped.", file=sys.stderr)
    return 128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT)


def _run(argv: list[str]) -> int:
    if argv[0] in ("-h", "--help"):
        print(help_text())
    elif argv[0] == "--version":
        print(f"inftydiff {inftydiff.__version__}")
    elif argv[0].startswith(COMPLETION):
        import tyro

        every = {name: kind_of(name) for name in COMMANDS}
        tyro.extras.subcommand_cli_from_dict({**every}, args=argv, prog="inftydiff")
    else:
        name, words = called(argv[0]), argv[1:]
        kind = kind_of(name)
        if name in CONFIGURED:
            from inftydiff.cli.settings_file import with_settings

            words = with_settings(words, kind)
        kind.parse(words, prog=f"inftydiff {name}").run(words)
    return 0
