"""Answers by two routes: of the mathematics, where a wrong one raises no error.

An oracle draws its sizes, asks the library, and yields the kind and the words of what is wrong. An
error that the library documents is an answer too, unless the oracle says otherwise.
"""

import math
import random
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import torch

__all__ = ["MATHEMATICS", "Oracle", "Said"]

Said = Iterator[tuple[str, str]]
Oracle = Callable[[random.Random, dict[str, Any], Path], Said]

EMPTY = (
    "T(f)",
    "R(f)",
    "process.transition(f, t[:0], t[:0]).mean_on(grid)",
    "process.marginal(f, t[:0])",
    "f.norm()",
    "coarsen(f, Grid((2, 2)))",
    "interpolate(f, fine)",
    "(T @ M)(f)",
    "exact_inverse(T, on=grid)(f)",
    "wdenoiser(f, t[:0])",
    "local(f)",
)
"""The questions about an empty batch ``f``."""

MANY = 300 * 2**20
"""Bytes that a small question may take."""


def scaled_operators(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """An operator that is made twice is one operator, scaled and composed ones too."""
    width, factor = draw.choice([0.05, 0.1, 0.3]), draw.choice([0.5, 2.0, 3, -1.0])
    make = draw.choice(
        [
            lambda: factor * n["gaussian_mollifier"](width),
            lambda: n["gaussian_mollifier"](width) @ n["matern"](1.5, 0.2, dim=2),
            lambda: factor * n["Identity"](),
            lambda: factor * (n["gaussian_mollifier"](width) + n["Identity"]()),
            lambda: factor * n["matern"](1.5, 0.2, dim=2),
        ]
    )
    one, other, noise = make(), make(), n["WhiteNoise"](0.25)
    if one != other:
        yield "silent", f"two operators made alike are not equal: {one!r}"[:200]
    process = n["DiffusionProcess"](n["schedule"], signal=one, noise_factor=other, noise=noise)
    try:
        denoiser = n["GaussianDenoiser"](process, n["measure"])
        n["evidence_bound"](denoiser, n["x0"], times=n["times"], cutoff=9.0, generator=n["g"]())
    except ValueError as error:
        if "S = N" in str(error) or "inver" in str(error):
            yield "silent", f"S = N is not recognised: {error}"[:300]
    p, q = (n["GaussianMeasure"](None, f, n["WhiteNoise"]()) for f in (one, other))
    found = n["equivalence"](p, q, n["box"])
    if type(found).__name__ != "Equivalent":
        yield "silent", f"a measure is not equivalent to itself: {found}"[:300]


def known_part(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A function that is known everywhere is known by S of it, where S 1 is not 1 too."""
    half = draw.choice([0.5, 2.0, 1.0])
    boundary = draw.choice(["reflecting", "absorbing", "periodic"])
    grid = n["Grid"]((8, 8), n["Box"]((1.0, 1.0), boundary))
    signal = half * n["gaussian_mollifier"](draw.choice([0.05, 0.15]))
    if half == 1.0:
        signal = n["gaussian_mollifier"](0.15)
    process = n["DiffusionProcess"](
        n["schedule"], signal=signal, noise_factor=signal, noise=n["WhiteNoise"](0.25)
    )
    ones = n["Function"](grid, torch.ones(1, 64, 1))
    mask = torch.ones(8, 8, dtype=torch.bool)
    mask[:, -2:] = draw.random() < 0.5
    known = n["known_signal"](process, ones, mask, coverage=0.5)
    wrong = (known.read_signal(signal(ones)) - known.values).abs().max().item()
    if wrong > 0.02:
        yield "silent", f"known_signal is {wrong:.3g} beside S x₀ ({half}·T, {boundary})"


def budgets(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """The finest grid does not change what the error costs of data that have no finer modes.

    A grid of n cells has the wave numbers 0, π, …, (n − 1)π along an axis. In one dimension the
    spectrum of its functions has no others; in the plane it is radial and reaches to the corner,
    beyond the axes' ends, so there the data's covariance is cut off below nπ.
    """
    count, dim = draw.choice([8, 9, 12]), draw.choice([1, 2])
    grid = n["Grid"]((count,) * dim)
    if dim == 1:
        data = n["empirical_spectrum"](n["Function"](grid, n["rand"](2, grid.size, 1)))
    else:
        covariance = n["matern"](1.5, 0.2, dim=2, cutoff=0.9 * math.pi * count)
        data = n["GaussianMeasure"](None, covariance, n["WhiteNoise"]())
    error = n["GaussianMeasure"](
        None, n["gaussian_mollifier"](draw.choice([0.02, 0.05])), n["WhiteNoise"](0.05)
    )
    T = n["gaussian_mollifier"](0.1)
    risks = [
        n["error_budget"](T, n["wiener_inverse"](T), data=data, on=grid, error=error, finest=finest)
        .total()
        .risk.item()
        for finest in (grid, n["refine"](grid, 4))
    ]
    if abs(risks[0] - risks[1]) > 1e-3 * abs(risks[1]):
        yield "silent", f"error_budget: {risks[0]:.5g} with finest=on, {risks[1]:.5g} with a finer"


def empirical(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """The spectrum of a field's values on a grid is that of the field's law, at every mode."""
    boundary = draw.choice(["reflecting", "absorbing", "periodic"])
    size = draw.choice([4, 5, 6, 8])
    grid = n["Grid"]((size,), n["Box"]((1.0,), boundary))
    law = n["empirical_spectrum"](
        n["Function"](grid, torch.randn(500, size, 1, generator=n["g"]()))
    )
    noise = n["WhiteNoise"](1.0).draw(
        grid.domain, batch=20_000, channels=1, generator=n["g"](draw.randrange(100))
    )
    found = n["empirical_spectrum"](noise.filtered(law)(grid))
    modes = n["eigenbasis"](grid.domain).eigenvalues((size,))
    most = (found(modes) / law(modes).square() - 1.0).abs().max().item()
    if most > 0.2:
        yield "silent", f"empirical_spectrum is {most:.0%} beside the law's ({boundary}, {size})"


def dimensions(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A covariance made for one dimension has its variance, is warned of or refused in another."""
    dim, there = draw.choice([1, 2, 3]), draw.choice([1, 2])
    kind = draw.choice(["matern", "squared_exponential", "bessel"])
    make = {
        "matern": lambda: n["matern"](1.5, 0.1, dim=dim),
        "squared_exponential": lambda: n["squared_exponential"](0.1, dim=dim),
        "bessel": lambda: n["bessel"](3.0, 0.1, dim=dim),
    }[kind]
    measure = n["GaussianMeasure"](None, make(), n["WhiteNoise"]())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        grid = n["Grid"]((9,) * there)
        variance = measure.covariance(grid).diagonal()[grid.size // 2].item()
    if kind != "bessel" and not 0.5 < variance < 2.0 and not told:
        yield "silent", f"{kind}(dim={dim}) has variance {variance:.3g} in {there} dimensions"


def thin_boxes(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A certificate of a thin box costs what that of a thick one costs."""
    box = n["Box"]((1.0, 1.0, draw.choice([0.05, 0.02, 0.01])))
    measure = n["GaussianMeasure"](None, n["matern"](1.5, 0.2, dim=3), n["WhiteNoise"]())
    before, begun = getrusage(RUSAGE_SELF).ru_maxrss, time.process_time()
    n["trace_class"](measure, box)
    seconds = time.process_time() - begun
    grown = (getrusage(RUSAGE_SELF).ru_maxrss - before) * 1024
    if seconds > 2.0 or grown > MANY:
        yield "hang", f"trace_class of {box} takes {seconds:.1f} s and {grown / 2**20:.0f} MB"


def nan_denoisers(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A denoiser that gives NaN is told as one, by every solver."""
    text = draw.choice(
        [
            "ProbabilityFlow(rtol=0.1, atol=0.1)",
            "DDIM()",
            "DDPM()",
            "Heun()",
            "DPMSolverPP()",
            "UniPC()",
            "EulerMaruyama()",
        ]
    )
    solver = eval(text, n)
    try:
        n["sample"](
            solver, n["white"], n["NanDenoiser"], on=n["grid"], times=n["times"], batch=2,
            channels=3, generator=n["g"](),
        )  # fmt: skip
    except (ValueError, FloatingPointError) as error:
        if not any(word in str(error).lower() for word in ("denoiser", "prediction", "model")):
            yield "silent", f"{text} does not blame the denoiser that gives NaN: {error}"[:300]
    else:
        yield "silent", f"{text} samples NaN of a denoiser that gives NaN, without a word"


def empty_batches(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """An empty batch gives an empty answer, or is refused."""
    f = n["Function"](n["grid"], torch.zeros(0, 16, 3))
    text = draw.choice(EMPTY)
    eval(text, {**n, "f": f})
    return
    yield


def noise_per_picture(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """The noise of a batch at times of its own is that of its pictures one by one."""
    t = torch.tensor([draw.choice([0.2, 0.5]), draw.choice([0.7, 1.0])])
    process = n[draw.choice(["process", "white", "smooth", "blurring"])]
    f = n["x0"]
    both = process.marginal(f, t).mean_on(n["grid"]).values
    for i in range(2):
        alone = n["Function"](f.on, f.values[i : i + 1])
        one = process.marginal(alone, t[i : i + 1]).mean_on(n["grid"]).values
        if not torch.allclose(both[i], one[0], atol=1e-4):
            yield "silent", "a batch with times of its own is not its pictures one by one"
            return


def round_trips(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """The error of a round trip is a number, for the zero function too."""
    f = n["Function"](n["grid"], torch.zeros(2, 16, 3) if draw.random() < 0.7 else n["x0"].values)
    solver = n[draw.choice(["DDIMInversion", "HeunInversion"])]()
    found = n["round_trip"](solver, n["denoiser"], f, times=n["times"])
    if not bool(torch.isfinite(found.error).all()):
        yield "silent", f"round_trip has the error {found.error.tolist()}"


def wide_seeds(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """Seeds that differ give fields that differ."""
    seed = draw.randrange(2**31)
    far = seed + 2 ** draw.choice([32, 40, 62])
    fields = [n["RandomField"](s, n["box"], 1, 1, 1.0)(n["grid"]).values for s in (seed, far)]
    if torch.equal(*fields):
        yield "silent", f"seeds {seed} and {far} are one field"


def energy(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A field read on a grid has the variance that its covariance says."""
    measure = n[draw.choice(["measure", "other"])]
    grid = n["Grid"]((draw.choice([3, 4, 6]), draw.choice([4, 5])))
    variances = measure.mode_variances(grid).sum().item()
    trace = measure.covariance(grid).diagonal().sum().item()
    if not math.isclose(variances * grid.size, trace, rel_tol=1e-3):
        yield "silent", f"mode_variances sum to {variances:.4g}, the covariance to {trace:.4g}"


MATHEMATICS: tuple[Oracle, ...] = (
    scaled_operators,
    known_part,
    budgets,
    empirical,
    dimensions,
    thin_boxes,
    nan_denoisers,
    empty_batches,
    noise_per_picture,
    round_trips,
    wide_seeds,
    energy,
)
