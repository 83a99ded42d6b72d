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

__all__ = ["main"]

DESCRIPTION = (
    "Diffusion models whose samples are functions: train on a random part of the coordinates, "
    "sample at any resolution. Begin with: inftydiff demo. Add --debug to any command to see where "
    "an error comes from."
)
BAD_INPUT = 2
SOON = 0.1
"""Seconds after which a signal that was ignored is sent once more."""

CONFIGURED = ("train", "train-prior")
"""The commands that take a file of settings."""

LESS_MEMORY = {
    "train": "Lower --batch-size, or use --accumulate or --recompute.",
    "train-prior": "Lower --batch-size, or use --accumulate.",
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
    if not argv:
        argv = ["--help"]
    debug = "--debug" in argv
    argv = [word for word in argv if word != "--debug"]
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
        text = " ".join(str(error).split())
        if _memory(error):
            text = f"Out of memory. {LESS_MEMORY.get(argv[0], SMALLER)} {text}".rstrip()
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
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
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
    from inftydiff.training import Interrupted

    if isinstance(stop, Interrupted):
        print(f"\nStopped; the state is in {stop.checkpoint}.", file=sys.stderr)
        return 128 + stop.signal_number
    print("\nStopped.", file=sys.stderr)
    return 128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT)


def _run(argv: list[str]) -> int:
    import tyro

    from inftydiff.cli.command import Command
    from inftydiff.cli.demo import Demo
    from inftydiff.cli.evaluate import Evaluate
    from inftydiff.cli.from_sensors import FromSensors
    from inftydiff.cli.info import Info
    from inftydiff.cli.inpaint import Inpaint
    from inftydiff.cli.interpolate import Interpolate
    from inftydiff.cli.reconstruct import Reconstruct
    from inftydiff.cli.sample import Sample
    from inftydiff.cli.settings_file import with_settings
    from inftydiff.cli.super_resolve import SuperResolve
    from inftydiff.cli.train import Train
    from inftydiff.cli.train_prior import TrainPrior
    from inftydiff.cli.vary import Vary

    kinds: dict[str, type[Command]] = {
        "demo": Demo,
        "train": Train,
        "train-prior": TrainPrior,
        "sample": Sample,
        "reconstruct": Reconstruct,
        "super-resolve": SuperResolve,
        "inpaint": Inpaint,
        "from-sensors": FromSensors,
        "vary": Vary,
        "interpolate": Interpolate,
        "evaluate": Evaluate,
        "info": Info,
    }
    if argv[0] in CONFIGURED:
        argv = [argv[0], *with_settings(argv[1:], kinds[argv[0]])]
    if argv[0] in kinds:
        command = kinds[argv[0]].parse(argv[1:], prog=f"inftydiff {argv[0]}")
    else:
        command = tyro.extras.subcommand_cli_from_dict(
            {**kinds}, args=argv, prog="inftydiff", description=DESCRIPTION
        )
    command.run(argv[1:])
    return 0
