"""Drawn objects of every kind that ships, with a probe for their laws.

Each function takes hypothesis's ``data.draw`` and gives an object, what ``laws_for`` is told of it,
and a probe on a domain of one to three axes with any boundaries, or on a point.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from every_schedule import EVERY
from hypothesis import assume
from hypothesis import strategies as st
from networks import network

from inftydiff import (
    Box,
    CleanPrediction,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    LinearOperator,
    NoisePrediction,
    Scattered,
    SignalPrediction,
    Subset,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    gaussian_mollifier,
    wiener_inverse,
)
from inftydiff.operators.covariance import bessel, matern, squared_exponential
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.operators.local import LocalOperator
from inftydiff.operators.mollifier import truncated_gaussian_mollifier
from inftydiff.operators.multiplier import UnitMultiplier
from inftydiff.operators.transfer import Interpolation, KernelSmoother, NearestNeighbours
from inftydiff.processes import (
    Blurring,
    CallableDenoiser,
    Parameterisation,
    Schedule,
    Solver,
)
from inftydiff.processes.solvers import (
    DDIM,
    DDPM,
    DPMSolverPP,
    EulerMaruyama,
    Heun,
    ProbabilityFlow,
    UniPC,
)
from inftydiff.testing.oracles import GaussianDenoiser, MixtureDenoiser
from inftydiff.testing.oracles._joint import ModalLaw, joint_law
from inftydiff.testing.probe import Probe
from inftydiff.testing.strategies import grids, schedules, subsets

__all__ = ["KINDS", "Shipped"]

Draw = Callable[[st.SearchStrategy[Any]], Any]

SEEDS = st.integers(0, 2**20)
LENGTHS = st.floats(0.1, 1.0)
SCALES = st.floats(0.25, 4.0)
WORST = 1e6
"""The largest condition number of covariances that are conditioned on as dense matrices."""
POINT = Grid((), Point())

SOLVERS: list[Solver] = [
    DDPM(),
    DDPM("transition"),
    DDIM(),
    DDIM(0.5),
    DDIM(1.0),
    EulerMaruyama(),
    Heun(),
    Heun("ratio"),
    DPMSolverPP(1),
    DPMSolverPP(2),
    DPMSolverPP(3),
    DPMSolverPP(3, as_diffusers=True),
    DPMSolverPP(1, stochastic=True),
    DPMSolverPP(2, stochastic=True),
    UniPC(1),
    UniPC(2),
    UniPC(3),
]

PARAMETERISATIONS: list[Parameterisation] = [
    NoisePrediction(),
    SignalPrediction(),
    CleanPrediction(),
    VelocityPrediction(),
]
WITHOUT_INVERSE = [p for p in PARAMETERISATIONS if p != CleanPrediction()]
"""What a perfect network can predict without dividing by the signal operator."""


@dataclass(frozen=True)
class Shipped:
    """An object that ships, and a probe."""

    subject: object
    probe: Probe


def places(
    draw: Draw, *, most: int = 12, fewest: int = 1, most_dim: int = 3, boundaries=BOUNDARIES
) -> Grid:
    if boundaries == BOUNDARIES and draw(st.integers(0, 9)) == 0:
        return POINT
    return draw(grids(most_dim=most_dim, most=most, fewest=fewest, boundaries=boundaries))


def probe_on(draw: Draw, on, *, batch: int | None = None, channels: int | None = None) -> Probe:
    own = on.shape_of_points[:-1]
    samples = own[0] if own else draw(st.integers(1, 3)) if batch is None else batch
    width = draw(st.integers(1, 3)) if channels is None else channels
    return Probe(on, samples, width, torch.float64, draw(SEEDS))


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mollifier(draw: Draw, grid: Grid) -> LinearOperator:
    """A mollifier of half a cell to two, of the shortest side of a cell."""
    return gaussian_mollifier(draw(st.floats(0.5, 2.0)) * min(grid.spacing, default=1.0))


def wide(draw: Draw, grid: Grid) -> LinearOperator:
    """A mollifier of one cell and a half to three, of the longest side of a cell."""
    return gaussian_mollifier(draw(st.floats(1.5, 3.0)) * max(grid.spacing, default=1.0))


def narrow(draw: Draw, grid: Grid) -> LinearOperator:
    """The identity, or a mollifier of less than a cell, which points can be told apart by."""
    if draw(st.booleans()):
        return Identity()
    return gaussian_mollifier(draw(st.floats(0.2, 0.6)) * min(grid.spacing, default=1.0))


def rough(draw: Draw, grid: Grid) -> LinearOperator:
    """A Matérn, Bessel or squared exponential factor of few modes."""
    dim, side = max(1, grid.dim), min(map(float, grid.domain.lengths), default=1.0)
    length = side * draw(st.floats(0.3, 1.0))
    cutoff = 12.0 / side
    match draw(st.integers(0, 3)):
        case 0:
            return matern(draw(st.floats(0.5, 3.0)), length, dim=dim, cutoff=cutoff)
        case 1:
            return bessel(dim / 2 + draw(st.floats(0.5, 3.0)), length, cutoff=cutoff)
        case 2:
            return squared_exponential(length, dim=dim, std=draw(SCALES))
    return truncated_gaussian_mollifier(0.3 * length, dim=dim, cutoff=2.0 * cutoff)


def smooth(draw: Draw, grid: Grid) -> LinearOperator:
    """A factor whose fields have point values."""
    T = mollifier(draw, grid)
    match draw(st.integers(0, 4)):
        case 0:
            return rough(draw, grid)
        case 1:
            return T @ rough(draw, grid)
        case 2:
            return 0.5 * T - 2.0 * mollifier(draw, grid)
        case 3:
            return wiener_inverse(T) @ T
    return T


def factor(draw: Draw, grid: Grid) -> LinearOperator:
    """A spectral operator of any kind."""
    match draw(st.integers(0, 3)):
        case 0:
            return Identity()
        case 1:
            return mollifier(draw, grid) + 0.5 * Identity()
    return smooth(draw, grid)


def operator(draw: Draw) -> Shipped:
    kind = draw(st.integers(0, 6))
    if kind <= 1:
        grid = places(draw)
        return Shipped(factor(draw, grid), probe_on(draw, grid))
    if kind == 2:
        grid = places(draw)
        probe = probe_on(draw, grid, batch=draw(st.integers(2, 3)))
        return Shipped(smooth(draw, grid) * normal(probe.seed, probe.batch), probe)
    if kind <= 4:
        grid = places(draw, boundaries=("reflecting",), most_dim=2)
        mixing = draw(st.booleans())
        images = (draw(st.integers(1, 4)),) if mixing else ()
        kernel = normal(draw(SEEDS), *images, 3, *(3,) * grid.dim)
        on = elsewhere(draw, grid)
        A = LocalOperator(kernel, draw(LENGTHS), mixing=mixing)
        return Shipped(A, probe_on(draw, on, channels=3))
    grid = places(draw, most_dim=2)
    there = Grid(tuple(draw(st.integers(1, 4)) for _ in grid.shape), grid.domain)
    if kind == 5 or grid == POINT:
        to = elsewhere(draw, there)
        one_each = to.shape_of_points[:-1]
        on = probe_on(draw, grid, batch=one_each[0] if one_each else None)
        return Shipped(Interpolation(grid, to), on)
    part = draw(subsets(grid, batch=draw(st.sampled_from([None, 2]))))
    probe = probe_on(draw, part)
    if part.size < 3 or draw(st.booleans()):
        return Shipped(KernelSmoother(part, there, width=10.0), probe)
    return Shipped(NearestNeighbours(part, there), probe)


def elsewhere(draw: Draw, grid: Grid) -> Grid | Subset | Scattered:
    """A grid, a subset of it, one a sample, or scattered points of its domain."""
    match draw(st.integers(0, 3)):
        case 0:
            return grid
        case 1:
            return draw(subsets(grid))
        case 2:
            return draw(subsets(grid, batch=2))
    lengths = torch.tensor(grid.domain.lengths, dtype=torch.float64)
    generator = torch.Generator().manual_seed(draw(SEEDS))
    points = torch.rand(draw(st.integers(1, 7)), grid.dim, generator=generator) * lengths
    return Scattered(points, domain=grid.domain)


def white_noise(draw: Draw) -> Shipped:
    return Shipped(WhiteNoise(draw(SCALES)), probe_on(draw, places(draw, most=8)))


def random_field(draw: Draw) -> Shipped:
    grid = places(draw, most=8)
    probe = probe_on(draw, grid)
    generator = torch.Generator().manual_seed(probe.seed)
    sizes = {"batch": probe.batch, "channels": probe.channels}
    white = WhiteNoise(draw(SCALES)).draw(grid.domain, generator=generator, **sizes)
    return Shipped(factor(draw, grid)(white), probe)


def smooth_field(draw: Draw) -> Shipped:
    drawn = random_field(draw)
    white = replace(drawn.subject, multiplier=UnitMultiplier())
    return replace(drawn, subject=smooth(draw, drawn.probe.grid)(white))


def measure(draw: Draw, make: Callable[[Draw, Grid], LinearOperator] = factor) -> Shipped:
    grid = places(draw, most=8)
    law = GaussianMeasure(None, make(draw, grid), WhiteNoise(draw(SCALES)))
    match draw(st.integers(0, 2)):
        case 0:
            return Shipped(law, probe_on(draw, grid))
        case 1:
            law = law.pushforward(smooth(draw, grid))
            return Shipped(law, probe_on(draw, grid))
    seen = grid if make is factor else elsewhere(draw, grid)
    own = seen.shape_of_points[:-1]
    probe = probe_on(draw, grid, batch=own[0] if own else None)
    batch = own if own else draw(st.sampled_from([(), (probe.batch,)]))
    values = normal(probe.seed, *batch, seen.size, probe.channels)
    std = law.covariance(grid).diagonal().max().sqrt().item()
    noise_std = std * draw(st.floats(0.03, 1.0))
    return Shipped(law.condition(Function(seen, values), noise_std=noise_std), probe)


def smooth_measure(draw: Draw) -> Shipped:
    return measure(draw, smooth)


def measure_with_a_mean(draw: Draw) -> Shipped:
    drawn = process(draw)
    probe = drawn.probe
    t = torch.rand(probe.batch, generator=probe.generator(), dtype=torch.float64)
    return Shipped(drawn.subject.marginal(probe.function(), t), probe)


def any_measure(draw: Draw) -> Shipped:
    make = draw(st.sampled_from([measure, smooth_measure, measure_with_a_mean]))
    return make(draw)


def any_schedule(draw: Draw) -> Schedule:
    name = draw(st.sampled_from([*EVERY, None]))
    return draw(schedules()) if name is None else EVERY[name]


def schedule(draw: Draw) -> Shipped:
    times = draw(st.integers(1, 500))
    return Shipped(any_schedule(draw), Probe(POINT, times, 1, torch.float64, draw(SEEDS)))


def process_on(
    draw: Draw, grid: Grid, make: Callable[[Draw, Grid], LinearOperator] = factor
) -> DiffusionProcess:
    noise, amplitudes = WhiteNoise(draw(SCALES)), any_schedule(draw)
    if draw(st.integers(0, 3)) == 0:
        width = draw(st.floats(0.1, 2.0)) * min(grid.spacing, default=1.0)
        family = Blurring(width, floor=draw(st.floats(1e-3, 0.5)))
        return DiffusionProcess.blurring(amplitudes, family, noise=noise)
    S, N = make(draw, grid), make(draw, grid)
    signal = draw(st.sampled_from([S, N, Identity()]))
    return DiffusionProcess(amplitudes, signal=signal, noise_factor=N, noise=noise)


def process(draw: Draw) -> Shipped:
    grid = places(draw, most=8)
    return Shipped(process_on(draw, grid), probe_on(draw, grid, channels=1))


def parameterisation(draw: Draw) -> Shipped:
    subject = draw(st.sampled_from(PARAMETERISATIONS))
    return Shipped(subject, probe_on(draw, places(draw)))


def step_rule(draw: Draw) -> Shipped:
    return Shipped(draw(st.sampled_from(SOLVERS)), probe_on(draw, places(draw, most=6)))


def adaptive_rule(draw: Draw) -> Shipped:
    solver = ProbabilityFlow(rtol=1e-2, atol=1e-3)
    return Shipped(solver, probe_on(draw, places(draw, most=6)))


def oracle(draw: Draw, grid: Grid) -> GaussianDenoiser | MixtureDenoiser:
    process = process_on(draw, grid, narrow)
    data = [
        GaussianMeasure(None, smooth(draw, grid), WhiteNoise(draw(SCALES)))
        for _ in range(draw(st.integers(1, 2)))
    ]
    if len(data) == 1:
        return GaussianDenoiser(process, data[0])
    return MixtureDenoiser(process, (0.3, 0.7), data)


def smooth_oracle(draw: Draw, grid: Grid) -> GaussianDenoiser:
    """One whose answer to a smooth function converges. A mixture's does not.

    Its components become singular to one another as the modes of ever finer grids are seen. And
    the data are smoother than the noise: the estimate of the clean function divides by the noise's
    spectrum, and would raise the rounding of high modes to any size.
    """
    process = process_on(draw, grid, wide)
    data = GaussianMeasure(None, process.noise_factor @ wide(draw, grid), WhiteNoise(draw(SCALES)))
    return GaussianDenoiser(process, data)


def denoiser_of(
    draw: Draw, exact: GaussianDenoiser | MixtureDenoiser, probe: Probe, predictions
) -> Shipped:
    match draw(st.integers(0, 2)):
        case 0:
            predict = draw(st.sampled_from(predictions))
            bounds = draw(st.sampled_from([None, (-1.0, 1.0)]))
            model = exact.as_model(predict)
            return Shipped(as_denoiser(exact.process, model, predict=predict, clip=bounds), probe)
        case 1:
            return Shipped(CallableDenoiser(exact.process, exact), probe)
    return Shipped(exact, probe)


def told_apart(exact: GaussianDenoiser | MixtureDenoiser, probe: Probe, grid: Grid) -> bool:
    r"""Whether the law of a probe's states is far enough from singular for answers to 1e-9.

    Some points of a grid are conditioned on by a dense covariance, whose rounding moves estimates
    by its condition number :math:`\max(\alpha^2 P + \sigma^2 V)/\min(\alpha^2 P + \sigma^2 V)`.
    """
    process, t = exact.process, probe.times()
    alpha, sigma = process.schedule.alpha(t.double()), process.schedule.sigma(t.double())
    several = [exact.data] if isinstance(exact, GaussianDenoiser) else exact.components
    for data in several:
        law = joint_law(process, data, process.signal_at(t), grid)
        assert isinstance(law, ModalLaw)
        rows = (len(t), *(1,) * grid.dim)
        states = law.signal * alpha.view(rows) ** 2 + law.noise * sigma.view(rows) ** 2
        if bool(states.amax() > WORST * states.amin()):
            return False
    return True


def denoiser(draw: Draw) -> Shipped:
    grid = places(draw, most=8)
    exact, probe = oracle(draw, grid), probe_on(draw, grid)
    assume(told_apart(exact, probe, grid))
    return denoiser_of(draw, exact, probe, PARAMETERISATIONS)


def fine_denoiser(draw: Draw) -> Shipped:
    """A denoiser of smooth data, on a grid that is fine enough for them."""
    grid = places(draw, most=8, fewest=2)
    return denoiser_of(draw, smooth_oracle(draw, grid), probe_on(draw, grid), WITHOUT_INVERSE)


def model(draw: Draw) -> Shipped:
    """A network, or a perfect one with so much white noise that it has an answer to all states."""
    if draw(st.integers(0, 9)) == 0:
        return a_network(draw)
    grid = places(draw, most=8)
    predict = draw(st.sampled_from(WITHOUT_INVERSE))
    noise = WhiteNoise(draw(SCALES))
    amplitudes = EVERY[draw(st.sampled_from(["cosine", "linear", "flow"]))]
    process = DiffusionProcess(
        amplitudes, signal=factor(draw, grid), noise_factor=Identity(), noise=noise
    )
    data = GaussianMeasure(None, smooth(draw, grid), WhiteNoise(draw(SCALES)))
    return Shipped(GaussianDenoiser(process, data).as_model(predict), probe_on(draw, grid))


def fine_model(draw: Draw) -> Shipped:
    """A model of smooth data, on a grid that is fine enough for them."""
    if draw(st.integers(0, 9)) == 0:
        return a_network(draw)
    grid = places(draw, most=8, fewest=2)
    predict = draw(st.sampled_from(WITHOUT_INVERSE))
    return Shipped(smooth_oracle(draw, grid).as_model(predict), probe_on(draw, grid))


def a_network(draw: Draw) -> Shipped:
    grid = Grid((16, 16), Box((1.0, 1.0)))
    return Shipped(network(draw(st.integers(0, 3))), probe_on(draw, grid, channels=3))


KINDS: dict[str, Callable[[Draw], Shipped]] = {
    "operator": operator,
    "noise": white_noise,
    "field": random_field,
    "smooth field": smooth_field,
    "measure": any_measure,
    "smooth measure": smooth_measure,
    "schedule": schedule,
    "process": process,
    "parameterisation": parameterisation,
    "solver": step_rule,
    "adaptive solver": adaptive_rule,
    "denoiser": denoiser,
    "fine denoiser": fine_denoiser,
    "model": model,
    "fine model": fine_model,
}
"""What draws an object of each kind."""
