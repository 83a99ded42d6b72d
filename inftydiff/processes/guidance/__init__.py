"""Guidance: denoisers made of denoisers, and samplers that keep to what was observed."""

from inftydiff.processes.guidance.classifier_free import classifier_free
from inftydiff.processes.guidance.dps import DPS
from inftydiff.processes.guidance.guide import GuidanceDiverged, Guide, GuidedDenoiser, guided
from inftydiff.processes.guidance.linearisation import Linearisation, noise_covariance
from inftydiff.processes.guidance.moment_matching import MomentMatching
from inftydiff.processes.guidance.pigdm import PiGDM
from inftydiff.processes.guidance.projection import ProjectedDenoiser, Projection
from inftydiff.processes.guidance.reconstruction import ReconstructionGuidance, known_signal
from inftydiff.processes.guidance.repaint import RePaint
from inftydiff.processes.guidance.twisted import Particles, twisted_smc

__all__ = [
    "DPS",
    "GuidanceDiverged",
    "Guide",
    "GuidedDenoiser",
    "Linearisation",
    "MomentMatching",
    "Particles",
    "PiGDM",
    "ProjectedDenoiser",
    "Projection",
    "RePaint",
    "ReconstructionGuidance",
    "classifier_free",
    "guided",
    "known_signal",
    "noise_covariance",
    "twisted_smc",
]
