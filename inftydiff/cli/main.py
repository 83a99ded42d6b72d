"""The entry point: parse, run, and turn what goes wrong into one line and an exit status."""

import signal
import sys
from collections.abc import Callable, Sequence

__all__ = ["main"]

DESCRIPTION = (
    "Diffusion models whose samples are functions: train on a random part of the coordinates, "
    "sample at any resolution. Begin with: inftydiff demo. Add --debug to any command to see where "
    "an error comes from."
)
BAD_INPUT = 2


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
    try:
        return _run(argv)
    except KeyboardInterrupt as stop:
        return _stopped(stop)
    except (ValueError, TypeError, OSError, ModuleNotFoundError, FloatingPointError) as error:
        if debug:
            raise
        text = " ".join(str(error).split())
        print(f"inftydiff: {text}", file=sys.stderr)
        return BAD_INPUT


def _stopped(stop: KeyboardInterrupt) -> int:
    """Say that a signal ended the command, and return the exit status."""
    from inftydiff.training import Interrupted

    if isinstance(stop, Interrupted):
        print(f"\nStopped; the state is in {stop.checkpoint}.", file=sys.stderr)
        return 128 + stop.signal_number
    print("\nStopped.", file=sys.stderr)
    return 128 + signal.SIGINT


def _run(argv: list[str]) -> int:
    import tyro

    from inftydiff.cli.command import Command
    from inftydiff.cli.demo import Demo
    from inftydiff.cli.evaluate import Evaluate
    from inftydiff.cli.info import Info
    from inftydiff.cli.inpaint import Inpaint
    from inftydiff.cli.reconstruct import Reconstruct
    from inftydiff.cli.sample import Sample
    from inftydiff.cli.super_resolve import SuperResolve
    from inftydiff.cli.train import Train
    from inftydiff.cli.train_prior import TrainPrior
    from inftydiff.cli.vary import Vary

    kinds: dict[str, Callable[..., Command]] = {
        "demo": Demo,
        "train": Train,
        "train-prior": TrainPrior,
        "sample": Sample,
        "reconstruct": Reconstruct,
        "super-resolve": SuperResolve,
        "inpaint": Inpaint,
        "vary": Vary,
        "evaluate": Evaluate,
        "info": Info,
    }
    command = tyro.extras.subcommand_cli_from_dict(
        kinds, args=argv, prog="inftydiff", description=DESCRIPTION
    )
    command.run(argv[1:])
    return 0
