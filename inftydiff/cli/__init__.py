"""The command line: ``inftydiff demo``, ``train``, ``sample``, ``evaluate`` and ``info``."""

from inftydiff.cli.main import main

__all__ = ["main"]
