"""The noise that a step adds is a draw of the process's own N ξ, with the solver's variance."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    DDIM,
    DDPM,
    CosineSchedule,
    DiffusionProcess,
    DPMSolverPP,
    EulerMaruyama,
    Function,
    Grid,
    Heun,
    Prediction,
    UniPC,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.processes import CallableDenoiser
from inftydiff.testing.strategies import ordered_times, processes, seeds

GRID = Grid((5, 4))
MOLLIFIED = DiffusionProcess.mollified(
    CosineSchedule(), gaussian_mollifier(0.15), noise=WhiteNoise(0.3)
)


def zero(x_t: Function, t: torch.Tensor) -> Prediction:
    return Prediction(x_t * 0.0, x_t * 0.0)


def injected(solver, process, t: torch.Tensor, s: torch.Tensor, seed: int):
    """What a step makes of nothing, and a draw of N ξ from the same generator state."""
    nothing = Function(GRID, torch.zeros(2, GRID.size, 2, dtype=torch.float64))
    generator = torch.Generator().manual_seed(seed)
    found = solver.step(CallableDenoiser(process, zero), nothing, t, s, generator=generator)
    draw = process.draw_noise(
        GRID,
        batch=2,
        channels=2,
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )
    return found.values, draw.values


@given(data=st.data(), times=ordered_times(2), eta=st.floats(0.0, 1.0), seed=seeds())
def test_stochastic_rules_add_mollified_noise(data, times: torch.Tensor, eta: float, seed: int):
    process = data.draw(processes(GRID))
    s, t = times.expand(2, 2).mT
    alpha, sigma = process.schedule.alpha, process.schedule.sigma
    carried = alpha(t) / alpha(s)
    beta = sigma(t) ** 2 - (carried * sigma(s)) ** 2
    beta_tilde = beta * sigma(s) ** 2 / sigma(t) ** 2
    for solver, variance in [
        (DDPM(), beta_tilde),
        (DDPM("transition"), torch.where(sigma(s) == 0, 0.0, beta)),
        (DDIM(eta), eta**2 * beta_tilde),
        (EulerMaruyama(), torch.where(sigma(s) == 0, 0.0, beta)),
        (DPMSolverPP(2, stochastic=True), beta_tilde),
    ]:
        found, draw = injected(solver, process, t, s, seed)
        expected = variance.clamp(min=0).sqrt()[:, None, None] * draw
        scale = max(1e-300, draw.abs().max().item())
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * scale)


@given(data=st.data(), time=st.floats(0.05, 1.0), seed=seeds())
@pytest.mark.parametrize(
    "solver",
    [
        DDPM(),
        DDPM("transition"),
        DDIM(),
        DDIM(1.0),
        EulerMaruyama(),
        DPMSolverPP(2, stochastic=True),
        Heun(),
        UniPC(),
    ],
    ids=str,
)
def test_nothing_is_added_in_a_step_to_no_noise(solver, data, time: float, seed: int):
    process = data.draw(processes(GRID))
    t = torch.full((2,), time, dtype=torch.float64)
    found, _ = injected(solver, process, t, torch.zeros_like(t), seed)
    assert not found.any()


@given(data=st.data(), times=ordered_times(2), seed=seeds())
def test_ddim_with_eta_1_is_ddpm_with_the_posterior_s_variance(data, times, seed: int):
    process = data.draw(processes(GRID))
    s, t = times.expand(2, 2).mT
    generator = torch.Generator().manual_seed(seed)
    signal, noise = (
        Function(GRID, torch.randn(2, GRID.size, 1, generator=generator, dtype=torch.float64))
        for _ in range(2)
    )
    x_t = signal * process.schedule.alpha(t) + noise * process.schedule.sigma(t)

    def exact(x: Function, time: torch.Tensor) -> Prediction:
        return Prediction(signal, noise)

    first, second = (
        solver.step(
            CallableDenoiser(process, exact),
            x_t,
            t,
            s,
            generator=torch.Generator().manual_seed(seed),
        ).values
        for solver in (DDIM(1.0), DDPM())
    )
    scale = second.abs().max().item()
    torch.testing.assert_close(first, second, rtol=0, atol=1e-6 * scale)


def test_each_sample_has_its_own_times():
    t, s = torch.tensor([[0.9, 0.3], [0.5, 0.1]], dtype=torch.float64)
    found, draw = injected(DDPM(), MOLLIFIED, t, s, 0)
    std = MOLLIFIED.posterior_coefficients(t, s).std
    assert std[0] != std[1]
    torch.testing.assert_close(found, std[:, None, None] * draw)


def test_successive_steps_inject_different_noise():
    t, s = torch.tensor([[0.9, 0.9], [0.5, 0.5]], dtype=torch.float64)
    nothing = Function(GRID, torch.zeros(2, GRID.size, 2, dtype=torch.float64))
    generator = torch.Generator().manual_seed(0)
    first, second = (
        DDPM().step(CallableDenoiser(MOLLIFIED, zero), nothing, t, s, generator=generator).values
        for _ in range(2)
    )
    assert not torch.isclose(first, second).any()
