"""Probability on function spaces: noises, Gaussian measures, diffusion processes and samplers."""

from inftydiff.processes.denoiser import Denoiser, as_denoiser
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.gaussian import GaussianMeasure
from inftydiff.processes.loss import denoising_loss
from inftydiff.processes.noise import RandomField, WhiteNoise
from inftydiff.processes.parameterisation import (
    CleanPrediction,
    NoisePrediction,
    Parameterisation,
    Prediction,
    SignalPrediction,
    VelocityPrediction,
)
from inftydiff.processes.sampler import DDIM, DDPM, State, StepRule, sample, steps, trajectory
from inftydiff.processes.schedule import CosineSchedule, LinearSchedule, Schedule

__all__ = [
    "DDIM",
    "DDPM",
    "CleanPrediction",
    "CosineSchedule",
    "Denoiser",
    "DiffusionProcess",
    "GaussianMeasure",
    "LinearSchedule",
    "NoisePrediction",
    "Parameterisation",
    "Prediction",
    "RandomField",
    "Schedule",
    "SignalPrediction",
    "State",
    "StepRule",
    "VelocityPrediction",
    "WhiteNoise",
    "as_denoiser",
    "denoising_loss",
    "sample",
    "steps",
    "trajectory",
]
