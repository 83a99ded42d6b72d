"""The command line: ``inftydiff demo``, ``inftydiff train`` and ``inftydiff sample``."""

from inftydiff.cli.main import main

__all__ = ["main"]
