"""Solvers: solvers over any Gaussian measure, each written once for all processes."""

from inftydiff.processes.solvers.ddim import DDIM
from inftydiff.processes.solvers.ddpm import DDPM
from inftydiff.processes.solvers.dpm_solver import DPMSolverPP
from inftydiff.processes.solvers.euler_maruyama import EulerMaruyama
from inftydiff.processes.solvers.flow import ProbabilityFlow
from inftydiff.processes.solvers.heun import Heun
from inftydiff.processes.solvers.solver import (
    Memory,
    MultistepSolver,
    Past,
    Solver,
    fresh_noise,
    linear_combination,
)
from inftydiff.processes.solvers.unipc import UniPC

__all__ = [
    "DDIM",
    "DDPM",
    "DPMSolverPP",
    "EulerMaruyama",
    "Heun",
    "Memory",
    "MultistepSolver",
    "Past",
    "ProbabilityFlow",
    "Solver",
    "UniPC",
    "fresh_noise",
    "linear_combination",
]
