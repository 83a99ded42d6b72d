"""Probability on function spaces: noises, Gaussian measures, diffusion processes and samplers."""

from inftydiff.processes.budget import ErrorBudget, error_budget
from inftydiff.processes.certificates import (
    NotTraceClass,
    TraceCertificate,
    TraceClass,
    Unknown,
    require_trace_class,
    trace_class,
)
from inftydiff.processes.conditioning import ConditionedMeasure
from inftydiff.processes.conversion import (
    AzulaSchedule,
    from_azula,
    from_diffusers,
    to_azula,
    to_diffusers,
)
from inftydiff.processes.deconvolution import (
    DeconvolutionRisk,
    deconvolution_risk,
    optimal_wiener,
    variance_spectrum,
)
from inftydiff.processes.denoiser import Denoiser, as_denoiser
from inftydiff.processes.diffusion import Amplitudes, DiffusionProcess
from inftydiff.processes.divergence import kl_divergence, wasserstein
from inftydiff.processes.elbo import EvidenceBound, elbo, evidence_bound
from inftydiff.processes.empirical import RadialSpectrum, empirical_spectrum
from inftydiff.processes.equivalence import (
    Equivalence,
    Equivalent,
    Singular,
    cameron_martin_norm,
    equivalence,
)
from inftydiff.processes.gaussian import GaussianMeasure
from inftydiff.processes.guidance import classifier_free
from inftydiff.processes.inversion import (
    DDIMInversion,
    FixedPointInversion,
    HeunInversion,
    InversionRule,
    RoundTrip,
    ascent,
    invert,
    round_trip,
)
from inftydiff.processes.likelihood import log_likelihood
from inftydiff.processes.loss import denoising_loss
from inftydiff.processes.noise import Noise, RandomField, WhiteNoise
from inftydiff.processes.parameterisation import (
    CleanPrediction,
    NoisePrediction,
    Parameterisation,
    Prediction,
    SignalPrediction,
    VelocityPrediction,
)
from inftydiff.processes.reference import NoDensity
from inftydiff.processes.sampler import State, sample, trajectory
from inftydiff.processes.schedule import (
    Schedule,
    log_alpha_rate,
    log_snr,
    noise_ratio,
    noise_variance_rate,
    time_at_ratio,
)
from inftydiff.processes.schedules import (
    ConstantSchedule,
    CosineSchedule,
    FlowMatchingSchedule,
    LinearSchedule,
    ShiftedCosineSchedule,
    SigmoidSchedule,
    TabulatedSchedule,
    VarianceExplodingSchedule,
)
from inftydiff.processes.sde import (
    Equation,
    ForwardSDE,
    ProbabilityFlowODE,
    Rates,
    ReverseSDE,
    Whitened,
    rates,
    score_energy,
)
from inftydiff.processes.signal_family import HeatDissipation, SignalFamily
from inftydiff.processes.solvers import (
    DDIM,
    DDPM,
    DPMSolverPP,
    EulerMaruyama,
    Heun,
    Memory,
    MultistepRule,
    Past,
    ProbabilityFlow,
    StepRule,
    UniPC,
    combined,
    fresh_noise,
)
from inftydiff.processes.spectra import multiplier_of, scaled
from inftydiff.processes.times import Spacing, recommended_steps, steps

__all__ = [
    "DDIM",
    "DDPM",
    "Amplitudes",
    "AzulaSchedule",
    "CleanPrediction",
    "ConditionedMeasure",
    "ConstantSchedule",
    "CosineSchedule",
    "DDIMInversion",
    "DPMSolverPP",
    "DeconvolutionRisk",
    "Denoiser",
    "DiffusionProcess",
    "Equation",
    "Equivalence",
    "Equivalent",
    "ErrorBudget",
    "EulerMaruyama",
    "EvidenceBound",
    "FixedPointInversion",
    "FlowMatchingSchedule",
    "ForwardSDE",
    "GaussianMeasure",
    "HeatDissipation",
    "Heun",
    "HeunInversion",
    "InversionRule",
    "LinearSchedule",
    "Memory",
    "MultistepRule",
    "NoDensity",
    "Noise",
    "NoisePrediction",
    "NotTraceClass",
    "Parameterisation",
    "Past",
    "Prediction",
    "ProbabilityFlow",
    "ProbabilityFlowODE",
    "RadialSpectrum",
    "RandomField",
    "Rates",
    "ReverseSDE",
    "RoundTrip",
    "Schedule",
    "ShiftedCosineSchedule",
    "SigmoidSchedule",
    "SignalFamily",
    "SignalPrediction",
    "Singular",
    "Spacing",
    "State",
    "StepRule",
    "TabulatedSchedule",
    "TraceCertificate",
    "TraceClass",
    "UniPC",
    "Unknown",
    "VarianceExplodingSchedule",
    "VelocityPrediction",
    "WhiteNoise",
    "Whitened",
    "as_denoiser",
    "ascent",
    "cameron_martin_norm",
    "classifier_free",
    "combined",
    "deconvolution_risk",
    "denoising_loss",
    "elbo",
    "empirical_spectrum",
    "equivalence",
    "error_budget",
    "evidence_bound",
    "fresh_noise",
    "from_azula",
    "from_diffusers",
    "invert",
    "kl_divergence",
    "log_alpha_rate",
    "log_likelihood",
    "log_snr",
    "multiplier_of",
    "noise_ratio",
    "noise_variance_rate",
    "optimal_wiener",
    "rates",
    "recommended_steps",
    "require_trace_class",
    "round_trip",
    "sample",
    "scaled",
    "score_energy",
    "steps",
    "time_at_ratio",
    "to_azula",
    "to_diffusers",
    "trace_class",
    "trajectory",
    "variance_spectrum",
    "wasserstein",
]
