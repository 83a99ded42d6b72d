"""The laws that objects keep, kind by kind; :func:`inftydiff.testing.laws_for` chooses."""

from inftydiff.processes.noise import Noise
from inftydiff.testing.laws.law import Claim, Law, LawViolation
from inftydiff.testing.laws.measures import Measure
from inftydiff.testing.laws.processes import Process

__all__ = ["Claim", "Law", "LawViolation", "Measure", "Noise", "Process"]
