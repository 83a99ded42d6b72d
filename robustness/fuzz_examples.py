"""All good calls, and which of them are slow, inner, or without bounds."""

from robustness import fuzz_examples_models as models
from robustness import fuzz_examples_operators as operators
from robustness import fuzz_examples_processes as processes

__all__ = ["EXAMPLES", "INNER", "OFTEN", "RECORDS", "SLOW", "UNBOUNDED"]

EXAMPLES = [
    line.strip()
    for block in (
        operators.OPERATORS,
        processes.PROCESSES,
        processes.TESTING,
        models.LEARNING,
        models.DATA,
    )
    for line in block.strip().splitlines()
]

INNER = (
    "apply_values", "transpose_values", "averages_of", "part_of_", "local_operator(", "descent(",
    "unet(", "block(", "norm(", "embedding(", "clocked(", "basis.", "code.", "heat(", "spectrum(",
    "WienerMultiplier(heat, 0.05)(", "Blurring(0.1).log_derivative", "Amplitudes(", "Rates(",
    "DiagonalGaussian(", "GuidanceDiverged(", "Interrupted(",
    "bandwidth(",  # multipliers ask each other, with floats of their own, of any size
)  # fmt: skip
"""Calls whose raw errors are not counted."""

SLOW = (
    "log_likelihood", "ProbabilityFlow(rtol=0.1, atol=0.1)", "from_diffusers", "faces(", "lite",
    "face_credit", "train(", "train_prior(", "EfficientNet", "ae.", "pipe.", "infty_diff_",
    "guided_output", "activation_bytes", "laws_for", "law()",
)  # fmt: skip

UNBOUNDED = (
    "log_snr", "noise_ratio", "time_at_ratio", "bandwidth(", "bessel(", "encoder(", "encode(",
    "__mul__", "__rmul__", "scaled(2.0)",
    ".alpha(", ".sigma(",  # times are not looked into, within steps: beyond [0, 1] all may be
    "Prediction().read(",  # divides by alpha or sigma, which a caller may make zero
    "denoising_loss(", "observation.log_likelihood(",  # squares of values up to 1e30
    "net(",  # a loop or a sampler looks at what networks answer
    "Asymptote(",  # whose remainder may be infinite, as its docstring has it
)  # fmt: skip
"""Calls whose answers may be infinite: at the ends of time, and as arithmetic has it."""


RECORDS = frozenset(
    [
        "Equivalent",
        "Singular",
        "Unknown",
        "NotTraceClass",
        "TraceClass",
        "Scores",
        "ModelCard",
        "Claim",
        "State",
        "RoundTrip",
        "EvidenceBound",
        "Estimate",
        "Distances",
        "Particles",
        "Law",
        "Progress",
        "Taken",
        "OutputLaw",
        "PointwiseLaw",
    ]
)
"""Classes that the library makes, often within loops; a caller who makes one has its parts."""

OFTEN = [
    example
    for example in EXAMPLES
    if example.startswith(("TrainConfig(", "InftyDiffConfig(", "MultiscaleConfig(", "sample("))
]
"""Calls with so many values that they are tried more often."""
