"""Forward equation, reversed equation and probability flow have the laws of the process.

For Gaussian data each is linear, mode by mode, with the variance α²P + σ²V; what an equation does
to a variance is compared with that formula's derivative.
"""

import pytest
import torch
from every_schedule import EVERY
from torch import Tensor
from torch.testing import assert_close

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    WhiteNoise,
    gaussian_mollifier,
    matern,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import (
    Blurring,
    ForwardSDE,
    ProbabilityFlowODE,
    ReverseSDE,
    Schedule,
    Whitened,
    rates,
    scale_modes,
    score_energy,
)
from inftydiff.testing import GaussianDenoiser

GRID = Grid((5, 4))
DATA = GaussianMeasure(None, gaussian_mollifier(0.3), WhiteNoise(0.7))
NOISE = WhiteNoise(0.3)
T = gaussian_mollifier(0.1)
F = matern(1.5, 0.2, dim=2, cutoff=40.0)
CONSTANT = ("white", "mollified", "noise-only", "trace-class")
KINDS = (*CONSTANT, "blurring")
every_schedule = pytest.mark.parametrize("schedule", EVERY.values(), ids=EVERY)
TIMES = (torch.arange(10, 990, dtype=torch.float64) + 0.5) / 1000
"""In the middle of a piece of each schedule that is made of pieces."""


def process(kind: str, schedule) -> DiffusionProcess:
    match kind:
        case "white":
            return DiffusionProcess.white(schedule, noise=NOISE)
        case "mollified":
            return DiffusionProcess.mollified(schedule, T, noise=NOISE)
        case "noise-only":
            return DiffusionProcess.noise_only(schedule, T, noise=NOISE)
        case "trace-class":
            return DiffusionProcess.trace_class(schedule, F, domain=GRID.domain, noise=NOISE)
    return DiffusionProcess.blurring(schedule, Blurring(0.2), noise=NOISE)


def noise_variance(chain: DiffusionProcess) -> Tensor:
    return GaussianMeasure(None, chain.noise_factor, chain.noise).mode_variances(GRID)


def variance(chain: DiffusionProcess, time: Tensor) -> Tensor:
    """The variances of the modes of x_t, from the amplitudes."""
    alpha, sigma = chain.schedule.alpha(time), chain.schedule.sigma(time)
    signal = GaussianMeasure(None, chain.signal_at(time) @ DATA.factor, DATA.noise)
    P = signal.mode_variances(GRID)
    one_each = (-1, 1, 1)
    return alpha.reshape(one_each) ** 2 * P + sigma.reshape(one_each) ** 2 * noise_variance(chain)


def variance_rate(chain: DiffusionProcess, time: Tensor) -> Tensor:
    return central(lambda at: variance(chain, at), time)


def central(function, time: Tensor, step: float = 3e-5) -> Tensor:
    """The derivative, by a difference of order four within a piece of the schedule."""
    near, far = (function(time + d) - function(time - d) for d in (step, 2 * step))
    return (8 * near - far) / (12 * step)


def modes_of(drift, time: Tensor) -> Tensor:
    """The factors, mode by mode, of a drift that is linear and diagonal."""
    basis = eigenbasis(GRID.domain)
    ones = basis.synthesis(torch.ones(len(time), 1, *GRID.shape, dtype=torch.float64))
    out = drift(Function(GRID, ones.flatten(2).mT), time).values
    return basis.analysis(out.mT.reshape(len(time), 1, *GRID.shape)).squeeze(1)


def states(generator: torch.Generator, *, channels: int) -> Function:
    """One state for each of the times."""
    shape = (len(TIMES), GRID.size, channels)
    return Function(GRID, torch.randn(shape, generator=generator, dtype=torch.float64))


@pytest.mark.thorough
@every_schedule
@pytest.mark.parametrize("kind", KINDS)
def test_each_equation_moves_the_variance_as_the_process_does(
    kind: str, schedule: Schedule
) -> None:
    chain, time = process(kind, schedule), TIMES
    denoiser = GaussianDenoiser(chain, DATA)
    P, V = variance(chain, time), noise_variance(chain)
    g = rates(chain, time, GRID).diffusion
    added = (g if g.ndim > 1 else g.reshape(-1, 1, 1)) ** 2 * V
    rate = variance_rate(chain, time)
    forward = 2 * modes_of(ForwardSDE(chain).drift, time) * P + added
    backward = 2 * modes_of(ReverseSDE(denoiser).drift, time) * P - added
    flow = 2 * modes_of(ProbabilityFlowODE(denoiser).drift, time) * P
    scale = rate.abs().amax((1, 2), keepdim=True) + P.amax((1, 2), keepdim=True)
    for found in (forward, backward, flow):
        assert_close(found / scale, rate / scale, rtol=1e-6, atol=1e-9)


@pytest.mark.thorough
@every_schedule
@pytest.mark.parametrize("kind", KINDS)
def test_the_flow_s_drift_is_the_rate_of_signal_and_noise(
    kind: str, schedule: Schedule, generator: torch.Generator
) -> None:
    """F x + (g²/2σ) E[Nξ] = α̇ E[S x0] + σ̇ E[Nξ]."""
    chain, t = process(kind, schedule), TIMES
    x = states(generator, channels=3)
    denoiser = GaussianDenoiser(chain, DATA)
    prediction = denoiser(x, t)
    alpha, sigma = (central(lambda at, i=i: chain.amplitudes(at, GRID)[i], t) for i in range(2))
    parts = scale_modes(chain.source(prediction, t), alpha), scale_modes(prediction.noise, sigma)
    drift = ProbabilityFlowODE(denoiser).drift(x, t)
    scale = 1.0 + sum(part.values.abs().amax((1, 2), keepdim=True) for part in parts)
    expected = parts[0].values + parts[1].values
    assert_close(drift.values / scale, expected / scale, rtol=0, atol=1e-7)


@pytest.mark.thorough
@every_schedule
@pytest.mark.parametrize("kind", CONSTANT)
def test_whitened_coordinates_have_the_ordinary_equations(
    kind: str, schedule: Schedule, generator: torch.Generator
) -> None:
    """Y = N⁻¹ x, whose noise is white: mode by mode the drift's factor is f + g²V/(α²P + σ²V)."""
    chain, t = process(kind, schedule), TIMES
    reverse = ReverseSDE(GaussianDenoiser(chain, DATA))
    whitened = Whitened(reverse, GRID)
    y = states(generator, channels=1)
    x = whitened.colour(y)
    assert_close(x.values, chain.noise_factor(y).values, rtol=0, atol=1e-12)
    assert_close(whitened.whiten(x).values, y.values, rtol=1e-9, atol=1e-9)
    f, diffusion = rates(chain, t, GRID)
    share = noise_variance(chain) / variance(chain, t)
    added = diffusion.reshape(-1, 1, 1) ** 2 * share
    scale = 1.0 + f.abs().reshape(-1, 1, 1) + added.amax((1, 2), keepdim=True)
    expected = f.reshape(-1, 1, 1) + added
    assert_close(modes_of(whitened.drift, t) / scale, expected / scale, rtol=0, atol=1e-9)


def test_the_energy_of_the_score_is_finite_for_trace_class_noise_alone() -> None:
    """E‖C∇log p‖² converges under refinement if C is trace-class, and grows if it is not."""
    t = torch.tensor([0.3, 0.7], dtype=torch.float64)
    grids = [Grid((n,)) for n in (16, 32, 64)]
    smooth = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
    kinds = {kind: process(kind, CosineSchedule()) for kind in ("white", "mollified")}
    white, mollified = (
        torch.stack([score_energy(kinds[kind], smooth, t, grid) for grid in grids])
        for kind in ("white", "mollified")
    )
    assert_close(mollified[1:], mollified[:1].expand(2, 2), rtol=1e-6, atol=0)
    assert bool((white[1:] > 1.9 * white[:-1]).all())


def test_the_energy_of_the_score_is_the_mean_of_its_square() -> None:
    """Against draws of x_t, at six standard deviations."""
    chain, t = process("mollified", CosineSchedule()), torch.tensor([0.5], dtype=torch.float64)
    number = 4000
    g = torch.Generator().manual_seed(0)
    law = torch.distributions.Normal(0.0, variance(chain, t)[0].sqrt())
    modes = law.icdf(torch.rand(number, 1, *GRID.shape, generator=g, dtype=torch.float64))
    values = eigenbasis(GRID.domain).synthesis(modes).flatten(2).mT / GRID.cell_volume**0.5
    x = Function(GRID, values)
    noise = GaussianDenoiser(chain, DATA)(x, t.expand(number)).noise
    energy = (noise * (1.0 / chain.schedule.sigma(t).item())).norm().square()
    expected = score_energy(chain, DATA, t, GRID)
    spread = energy.std() / number**0.5
    assert abs(energy.mean() - expected) < 6 * spread


def test_a_variance_preserving_schedule_has_one_coefficient() -> None:
    """β = −2f = g², eq. (15) written out."""
    t = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    chain = process("mollified", CosineSchedule())
    f, g = rates(chain, t, GRID)
    assert_close(g**2, -2 * f, rtol=1e-9, atol=0)
    cells = chain.noise_factor(
        GaussianMeasure(None, T, NOISE).noise.draw(
            GRID.domain, batch=3, channels=1, generator=torch.Generator().manual_seed(0)
        )
    )(GRID, dtype=torch.float64)
    operator = ForwardSDE(chain).diffusion(t, GRID)
    white = NOISE.draw(GRID.domain, batch=3, channels=1, generator=torch.Generator().manual_seed(0))
    assert_close(operator(white)(GRID, dtype=torch.float64).values, (cells * g).values)


def test_bad_input_is_refused() -> None:
    chain = process("mollified", CosineSchedule())
    for at in (-0.1, 1.1):
        with pytest.raises(ValueError, match="Times"):
            rates(chain, torch.tensor([at]), GRID)
    x = Function(GRID, torch.zeros(1, GRID.size, 1))
    with pytest.raises(ValueError, match="no density"):
        ReverseSDE(GaussianDenoiser(chain, DATA)).drift(x, torch.zeros(1))
    wide = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.5))
    with pytest.raises(ValueError, match="cannot be inverted"):
        Whitened(ForwardSDE(wide), Grid((32, 32)))


def test_rates_are_found_where_nothing_else_is_differentiated() -> None:
    t = torch.tensor([0.5])
    expected = rates(process("white", CosineSchedule()), t, GRID)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            found = rates(process("white", CosineSchedule()), t, GRID)
            assert_close(found.drift, expected.drift)
