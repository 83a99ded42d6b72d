"""inftydiff: generative modelling of functions.

Set ``INFTYDIFF_TYPECHECK=1`` before the import to check the shapes and types of every call by
jaxtyping and beartype.
"""

import os

if os.environ.get("INFTYDIFF_TYPECHECK") == "1":
    from jaxtyping import install_import_hook

    install_import_hook("inftydiff", "beartype.beartype")

from inftydiff.operators import (
    Box,
    Function,
    Grid,
    Identity,
    LinearOperator,
    Scattered,
    Subset,
    gaussian_mollifier,
    interpolate,
    random_subset,
    wiener_inverse,
)
from inftydiff.processes import (
    DDIM,
    DDPM,
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    GaussianMeasure,
    LinearSchedule,
    NoisePrediction,
    Prediction,
    RandomField,
    SignalPrediction,
    State,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    denoising_loss,
    sample,
    steps,
    trajectory,
)

__all__ = [
    "DDIM",
    "DDPM",
    "Box",
    "CleanPrediction",
    "CosineSchedule",
    "DiffusionProcess",
    "Function",
    "GaussianMeasure",
    "Grid",
    "Identity",
    "LinearOperator",
    "LinearSchedule",
    "NoisePrediction",
    "Prediction",
    "RandomField",
    "Scattered",
    "SignalPrediction",
    "State",
    "Subset",
    "VelocityPrediction",
    "WhiteNoise",
    "as_denoiser",
    "denoising_loss",
    "gaussian_mollifier",
    "interpolate",
    "random_subset",
    "sample",
    "steps",
    "trajectory",
    "wiener_inverse",
]
