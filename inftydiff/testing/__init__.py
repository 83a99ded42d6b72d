"""Laws, oracles and strategies: what this library tests itself with, for classes of one's own.

:func:`laws_for` gives the laws of an object, to be run by pytest or by hand; ``oracles`` has data
with known denoisers, ``dense`` the matrices of operators. ``inftydiff.testing.strategies`` draws
grids, schedules and processes for property tests; it needs hypothesis, and nothing else here does.
"""

from inftydiff.testing.conformance import laws_for
from inftydiff.testing.dense import matrix_of
from inftydiff.testing.laws import Claim, Law, LawViolation
from inftydiff.testing.mixture_output import mixture_output_wasserstein
from inftydiff.testing.oracles import GaussianDenoiser, MixtureDenoiser
from inftydiff.testing.output_law import OutputLaw, output_law, variance_gain
from inftydiff.testing.posterior import PointwiseLaw, exact_posterior, guided_output
from inftydiff.testing.probe import Probe

__all__ = [
    "Claim",
    "GaussianDenoiser",
    "Law",
    "LawViolation",
    "MixtureDenoiser",
    "OutputLaw",
    "PointwiseLaw",
    "Probe",
    "exact_posterior",
    "guided_output",
    "laws_for",
    "matrix_of",
    "mixture_output_wasserstein",
    "output_law",
    "variance_gain",
]
