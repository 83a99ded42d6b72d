"""inftydiff: generative modelling of functions.

The import takes no torch: the names, and the rooms that they come from, are imported when they are
first used.

Set ``INFTYDIFF_TYPECHECK=1`` before the import to check the shapes and types of every call by
jaxtyping and beartype.
"""

import os
import sys
from typing import TYPE_CHECKING

from inftydiff._lazy import on_first_use
from inftydiff._stopped import is_command, tell_in_a_line

if is_command():
    sys.excepthook = tell_in_a_line

if os.environ.get("INFTYDIFF_TYPECHECK") == "1":
    from inftydiff._checked import check_calls

    check_calls(__name__)

if TYPE_CHECKING:
    from inftydiff import models as models
    from inftydiff import operators as operators
    from inftydiff import pipelines as pipelines
    from inftydiff import processes as processes
    from inftydiff import testing as testing
    from inftydiff._components import component
    from inftydiff.operators import (
        Box,
        Function,
        Grid,
        Identity,
        LinearOperator,
        Point,
        Scattered,
        Subset,
        cell_averages,
        gaussian_mollifier,
        interpolate,
        known_points,
        matern,
        point_values,
        random_subset,
        squared_exponential,
        wiener_inverse,
    )
    from inftydiff.processes import (
        DDIM,
        DDPM,
        DPS,
        Blurring,
        CleanPrediction,
        ConstantSchedule,
        CosineSchedule,
        DDIMInversion,
        DiffusionProcess,
        DPMSolverPP,
        Equivalent,
        EulerMaruyama,
        FixedPointInversion,
        FlowMatchingSchedule,
        GaussianMeasure,
        Heun,
        HeunInversion,
        LinearSchedule,
        MomentMatching,
        NoisePrediction,
        NotTraceClass,
        Observation,
        PiGDM,
        Prediction,
        ProbabilityFlow,
        ProjectedDenoiser,
        Projection,
        RandomField,
        ReconstructionGuidance,
        RePaint,
        ShiftedCosineSchedule,
        SigmoidSchedule,
        SignalPrediction,
        Singular,
        State,
        TabulatedSchedule,
        TraceClass,
        UniPC,
        Unknown,
        VarianceExplodingSchedule,
        VelocityPrediction,
        WhiteNoise,
        as_denoiser,
        denoising_loss,
        elbo,
        equivalence,
        error_budget,
        guided,
        invert,
        kl_divergence,
        known_signal,
        log_likelihood,
        observe,
        optimal_wiener,
        recommended_timesteps,
        round_trip,
        sample,
        timesteps,
        trace_class,
        trajectory,
        twisted_smc,
        wasserstein,
    )

    __version__: str

__all__ = [
    "DDIM",
    "DDPM",
    "DPS",
    "Blurring",
    "Box",
    "CleanPrediction",
    "ConstantSchedule",
    "CosineSchedule",
    "DDIMInversion",
    "DPMSolverPP",
    "DiffusionProcess",
    "Equivalent",
    "EulerMaruyama",
    "FixedPointInversion",
    "FlowMatchingSchedule",
    "Function",
    "GaussianMeasure",
    "Grid",
    "Heun",
    "HeunInversion",
    "Identity",
    "LinearOperator",
    "LinearSchedule",
    "MomentMatching",
    "NoisePrediction",
    "NotTraceClass",
    "Observation",
    "PiGDM",
    "Point",
    "Prediction",
    "ProbabilityFlow",
    "ProjectedDenoiser",
    "Projection",
    "RandomField",
    "RePaint",
    "ReconstructionGuidance",
    "Scattered",
    "ShiftedCosineSchedule",
    "SigmoidSchedule",
    "SignalPrediction",
    "Singular",
    "State",
    "Subset",
    "TabulatedSchedule",
    "TraceClass",
    "UniPC",
    "Unknown",
    "VarianceExplodingSchedule",
    "VelocityPrediction",
    "WhiteNoise",
    "as_denoiser",
    "cell_averages",
    "component",
    "denoising_loss",
    "elbo",
    "equivalence",
    "error_budget",
    "gaussian_mollifier",
    "guided",
    "interpolate",
    "invert",
    "kl_divergence",
    "known_points",
    "known_signal",
    "log_likelihood",
    "matern",
    "observe",
    "optimal_wiener",
    "point_values",
    "random_subset",
    "recommended_timesteps",
    "round_trip",
    "sample",
    "squared_exponential",
    "timesteps",
    "trace_class",
    "trajectory",
    "twisted_smc",
    "wasserstein",
    "wiener_inverse",
]

if not TYPE_CHECKING:  # else every name would be known to type checkers, misspelt ones too
    __getattr__, __dir__ = on_first_use(
        __name__,
        __all__,
        # _components after the rooms whose components have their kinds, which are taken by then
        rooms=("operators", "processes", "models", "pipelines", "_components", "testing"),
    )
