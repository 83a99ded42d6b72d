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
    "WienerMultiplier(heat, 0.05)(", "HeatDissipation(0.1).fading", "Amplitudes(", "Rates(",
    "Code(", "GuidanceDiverged(", "Interrupted(", "bandwidth(", "probe.", "combined(", "scaled(",
    "log_density_above(", "responsibilities(", "guided_denoiser.moved(", "net.check(",
)  # fmt: skip

SLOW = (
    "log_likelihood", "ProbabilityFlow(rtol=0.1, atol=0.1)", "from_diffusers", "faces(", "lite",
    "face_credit", "train(", "train_prior(", "EfficientNet", "ae.", "pipe.", "infty_diff_",
    "guided_output", "activation_bytes", "laws_for", "law()",
)  # fmt: skip

UNBOUNDED = (
    "log_snr", "noise_ratio", "time_at_ratio", "bandwidth(", "bessel(", "encoder(", "encode(",
    "__mul__", "__rmul__", "scaled(2.0)", ".alpha(", ".sigma(", ".read(", ".step(", ".rise(",
    ".advance(", "ascent(", "denoising_loss(", "log_likelihood(", "net(", "Asymptote(", "probe.",
)  # fmt: skip
"""Whose answers may be infinite: at the ends of time, as arithmetic has it, and of single steps,
whose states a sampler checks."""


RECORDS = frozenset(
    [
        "Equivalent",
        "Singular",
        "Unknown",
        "NotTraceClass",
        "TraceClass",
        "Scattered",
        "Scores",
        "ModelCard",
        "Claim",
        "State",
        "RoundTrip",
        "EvidenceBound",
        "Estimate",
        "Distances",
        "Scores",
        "Particles",
        "Past",
        "Prediction",
        "ErrorBudget",
        "DeconvolutionRisk",
        "Law",
        "Progress",
        "OutputLaw",
        "PointwiseLaw",
    ]
)
"""What the library makes for its callers, often within loops; who makes one has its parts."""

OFTEN = [
    example
    for example in EXAMPLES
    if example.startswith(("TrainConfig(", "InftyDiffConfig(", "MultiscaleConfig(", "sample("))
]
"""Calls with so many values that they are tried more often."""
