"""The exact denoiser of mixtures: dense formulas, quadrature, and one component is the Gaussian."""

import math

import pytest
import torch
from dense_oracles import conditional, joint, state
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.processes.schedules import FlowMatchingSchedule, VarianceExplodingSchedule
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.oracles import MixtureDenoiser
from inftydiff.testing.strategies import grids, processes, seeds

NAMES = ("signal", "noise", "clean")


def parts_on(grid: Grid, seed: int, channels: int = 2) -> list[GaussianMeasure]:
    """Components that differ in mean and covariance."""
    side = min(grid.spacing)
    means = state(grid, 3, channels, seed).values
    return [
        GaussianMeasure(Function(grid, means[0]), gaussian_mollifier(0.3 * side), WhiteNoise()),
        GaussianMeasure(None, 2.0 * gaussian_mollifier(0.5 * side), WhiteNoise(0.7)),
        GaussianMeasure(Function(grid, means[2]), gaussian_mollifier(0.2 * side), WhiteNoise(0.4)),
    ]


@pytest.mark.thorough
@given(
    data=st.data(),
    grid=grids(most_dim=2, most=9, boundaries=BOUNDARIES),
    half=st.booleans(),
    time=st.floats(0.1, 0.95),
    seed=seeds(),
)
def test_it_is_the_dense_formula(data, grid: Grid, half: bool, time: float, seed: int):
    process = data.draw(processes(grid, cells=(0.2, 0.5)))
    parts, weights = parts_on(grid, seed), torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    on = Subset(grid, torch.arange(0, grid.size, 2)) if half else grid
    x_t = state(on, 1, 2, seed + 1)
    t = torch.full((1,), time, dtype=torch.float64)
    alpha, sigma = process.schedule.alpha(t)[0], process.schedule.sigma(t)[0]
    log_joint, means = [], []
    for part, weight in zip(parts, weights, strict=True):
        dense = joint(process, part, process.signal, on)
        shift, clean = torch.zeros(2, on.size, 2, dtype=torch.float64)
        if part.mean is not None:
            signal, mean = process.signal(part.mean), part.mean
            if half:
                signal, mean = signal.restrict(on), mean.restrict(on)
            shift, clean = signal.values, mean.values
        x = x_t.values[0] - alpha * shift
        total = alpha**2 * dense.signal + sigma**2 * dense.noise
        normal = MultivariateNormal(torch.zeros(on.size, dtype=torch.float64), total)
        log_joint.append(weight.log() + normal.log_prob(x.mT).sum())
        found = conditional(dense, x, alpha, sigma)
        shifts = (shift, torch.zeros_like(shift), clean)
        means.append(torch.stack([m + s for m, s in zip(found, shifts, strict=True)]))
    shares = torch.stack(log_joint).softmax(0)
    expected = torch.einsum("j,jkpc->kpc", shares, torch.stack(means))
    denoiser = MixtureDenoiser(process, (0.2, 0.5, 0.3), parts)
    torch.testing.assert_close(denoiser.responsibilities(x_t, t)[0], shares, rtol=1e-6, atol=1e-8)
    prediction = denoiser(x_t, t)
    for name, value in zip(NAMES, expected, strict=True):
        scale = max(1.0, value.abs().max().item())
        torch.testing.assert_close(
            getattr(prediction, name).values[0], value, rtol=0, atol=1e-6 * scale
        )


@pytest.mark.parametrize(
    "schedule",
    [CosineSchedule(), VarianceExplodingSchedule(), FlowMatchingSchedule()],
    ids=lambda s: type(s).__name__,
)
def test_in_one_dimension_it_is_the_integral(schedule):
    on, tau = Grid((), Point()), 0.6
    places, weights, stds = (-1.5, 0.4, 2.0), (0.5, 0.2, 0.3), (0.3, 0.5, 0.2)
    parts = [
        GaussianMeasure(
            Function(on, torch.full((1, 1), m, dtype=torch.float64)), s * Identity(), WhiteNoise()
        )
        for m, s in zip(places, stds, strict=True)
    ]
    process = DiffusionProcess.white(schedule, noise=WhiteNoise(tau))
    t = torch.linspace(0.05, 0.9, 6, dtype=torch.float64)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    x_t = alpha * 0.3 + sigma * tau * torch.linspace(-2.0, 2.0, 6, dtype=torch.float64)
    x0 = torch.linspace(-6.0, 6.0, 200_001, dtype=torch.float64)
    prior = sum(
        w / s * torch.exp(-0.5 * ((x0 - m) / s) ** 2)
        for m, w, s in zip(places, weights, stds, strict=True)
    )
    residual = x_t.unsqueeze(-1) - alpha.unsqueeze(-1) * x0
    density = prior * torch.exp(-0.5 * (residual / (tau * sigma.unsqueeze(-1))) ** 2)
    expected = (density * x0).sum(-1) / density.sum(-1)
    said = MixtureDenoiser(process, weights, parts)(Function(on, x_t.reshape(-1, 1, 1)), t)
    torch.testing.assert_close(said.signal.values.flatten(), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(said.clean.values.flatten(), expected, rtol=1e-9, atol=1e-9)
    noise = (x_t - alpha * expected) / sigma
    torch.testing.assert_close(said.noise.values.flatten(), noise, rtol=1e-7, atol=1e-7)


@pytest.mark.thorough
@given(data=st.data(), grid=grids(most_dim=2, most=16, boundaries=BOUNDARIES), seed=seeds())
def test_one_component_or_several_of_one_law_are_the_gaussian(data, grid: Grid, seed: int):
    process = data.draw(processes(grid))
    law = parts_on(grid, seed)[0]
    t = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    x_t = state(grid, 3, 2, seed)
    expected = GaussianDenoiser(process, law)(x_t, t)
    for weights in ((1.0,), (0.25, 0.75)):
        found = MixtureDenoiser(process, weights, (law,) * len(weights))(x_t, t)
        for name in NAMES:
            value = getattr(expected, name).values
            torch.testing.assert_close(getattr(found, name).values, value)


@pytest.mark.parametrize("scattered", [False, True])
def test_near_the_ends_of_time_the_responsibilities_are_those_of_the_limits(scattered: bool):
    """At 1 the weights; at 0 the component that the state was drawn from; and never NaN."""
    grid, T = Grid((16, 16)), gaussian_mollifier(1 / 8)
    ramp = Function(grid, (grid.points[:, :1] - 0.5) * 4.0)
    parts = [GaussianMeasure(sign * ramp, T, WhiteNoise(0.2)) for sign in (1.0, -1.0)]
    schedule = CosineSchedule()
    process = DiffusionProcess.mollified(schedule, T, noise=WhiteNoise(1 / 16))
    denoiser = MixtureDenoiser(process, (0.9, 0.1), parts)
    times = (0.0, 1e-12, 1e-6, 1e-3)
    t = torch.tensor([*times, 1.0], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    other = parts[1].sample(grid, batch=5, channels=1, generator=generator)
    noise = process.draw_noise(grid, batch=5, channels=1, generator=generator, dtype=torch.float64)
    x_t = T(other) * schedule.alpha(t) + noise * schedule.sigma(t)
    if scattered:
        x_t = x_t.restrict(Subset(grid, torch.arange(0, 256, 8)))
    shares = denoiser.responsibilities(x_t, t)
    assert shares[:4, 1].min().item() > 1.0 - 1e-6
    assert shares[4].tolist() == pytest.approx([0.9, 0.1], rel=0.1)
    said = denoiser(x_t, t)
    assert said.signal.values.isfinite().all()
    assert said.noise.values.isfinite().all()
    near = denoiser(x_t, torch.full((5,), 1e-9, dtype=torch.float64))
    assert near.signal.values.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_modes_that_are_lost_in_rounding_do_not_decide(dtype: torch.dtype):
    """The means differ along one wave, so the coefficient along it decides; all others are tiny."""
    grid, T = Grid((24, 24)), gaussian_mollifier(0.25)
    wave = Function(grid, torch.cos(math.pi * grid.points[:, :1]))
    factor, noise = gaussian_mollifier(0.1), WhiteNoise(0.5)
    parts = [GaussianMeasure(wave * sign, factor, noise) for sign in (1.0, -1.0)]
    process = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.3))
    t = torch.tensor([0.9, 0.7, 0.4], dtype=torch.float64)
    alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
    generator = torch.Generator().manual_seed(3)
    drawn = process.draw_noise(grid, batch=3, channels=1, generator=generator, dtype=torch.float64)
    values = (drawn * sigma).values
    x_t = Function(grid, values.to(dtype))
    unit = wave * (1.0 / wave.norm())
    shrunk = math.exp(-0.5 * (0.25 * math.pi) ** 2)
    y = Function(grid, values).inner(Function(grid, unit.values.expand(3, -1, -1)))
    data = 0.25 * math.exp(-((0.1 * math.pi) ** 2))
    variance = shrunk**2 * (alpha**2 * data + sigma**2 * 0.09)
    odds = 2.0 * alpha * shrunk * wave.norm() * y / variance
    denoiser = MixtureDenoiser(process, (0.5, 0.5), parts)
    accuracy = 2e-4 if dtype == torch.float64 else 1e-2
    shares = denoiser.responsibilities(x_t, t)
    torch.testing.assert_close(shares[:, 0], odds.sigmoid(), rtol=0, atol=accuracy)
    assert (shares[:, 0] - 0.5).abs().min() > 1e-3


def test_a_scattered_mixture_is_the_dense_formula():
    on = Scattered(torch.tensor([[0.2], [0.55], [0.9]], dtype=torch.float64))
    process = DiffusionProcess.noise_only(CosineSchedule(), gaussian_mollifier(0.05))
    wide = GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise(2.0))
    narrow = GaussianMeasure(None, gaussian_mollifier(0.05), WhiteNoise(0.5))
    t = torch.tensor([0.6], dtype=torch.float64)
    alpha, sigma = process.schedule.alpha(t)[0], process.schedule.sigma(t)[0]
    x_t = state(on, 1, 1, 0)
    logs, signals = [], []
    for part in (wide, narrow):
        dense = joint(process, part, Identity(), on)
        total = alpha**2 * dense.signal + sigma**2 * dense.noise
        normal = MultivariateNormal(torch.zeros(3, dtype=torch.float64), total)
        logs.append(math.log(0.5) + normal.log_prob(x_t.values[0, :, 0]))
        signals.append(conditional(dense, x_t.values[0], alpha, sigma)[0])
    shares = torch.stack(logs).softmax(0)
    found = MixtureDenoiser(process, (0.5, 0.5), (wide, narrow))(x_t, t).signal.values[0]
    torch.testing.assert_close(found, shares[0] * signals[0] + shares[1] * signals[1])
