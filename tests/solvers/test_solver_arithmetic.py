"""The weights of exponential integrators are integrals, and solvers that should agree do."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from solver_runs import end_of

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    Prediction,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.processes import CallableDenoiser
from inftydiff.processes.schedules import VarianceExplodingSchedule
from inftydiff.processes.solvers import DDIM, DDPM, DPMSolverPP, EulerMaruyama, Heun, Past, UniPC
from inftydiff.processes.solvers._exponential import interpolatory_weights, moments

GRID = Grid((3, 4))
PROCESS = DiffusionProcess.mollified(
    CosineSchedule(), gaussian_mollifier(0.2), noise=WhiteNoise(0.4)
)


def number(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


def integral(h: float, f) -> float:
    found, _ = quad(lambda u: h * torch.exp(number(-h * (1 - u))).item() * f(u), 0, 1, epsrel=1e-12)
    return found


@pytest.mark.parametrize("h", [1e-8, 1e-3, 0.3, 0.999, 1.0, 2.5, 15.0])
def test_moments(h: float):
    for i, found in enumerate(moments(number(h), 4)):
        assert found.item() == pytest.approx(integral(h, lambda u, i=i: u**i), rel=1e-10)


def test_moments_of_no_step_and_of_an_endless_one():
    assert [m.item() for m in moments(number(0.0), 3)] == [0.0, 0.0, 0.0]
    assert [m.item() for m in moments(number(torch.inf), 3)] == [1.0, 1.0, 1.0]


@given(
    h=st.floats(1e-3, 10.0),
    gaps=st.lists(st.floats(0.05, 2.0), min_size=1, max_size=3),
    ahead=st.booleans(),
)
def test_weights_integrate_polynomials_exactly(h: float, gaps: list[float], ahead: bool):
    nodes = [-sum(gaps[: i + 1]) for i in range(len(gaps))] + ([1.0] if ahead else [])
    weights = interpolatory_weights(number(h), [number(r) for r in nodes])
    for power in range(1, len(nodes) + 1):
        found = sum(w.item() * r**power for w, r in zip(weights, nodes, strict=True))
        scale = max(1.0, *(abs(w.item() * r**power) for w, r in zip(weights, nodes, strict=True)))
        assert abs(found - moments(number(h), power + 1)[-1].item()) < 1e-9 * scale


def test_weights_are_zero_where_nodes_coincide_or_the_step_is_endless():
    h = torch.tensor([0.5, 0.5, torch.inf], dtype=torch.float64)
    nodes = [torch.tensor(r, dtype=torch.float64) for r in ([-1.0, 0.0, 0.0], [-1.5, -0.5, 0.0])]
    weights = interpolatory_weights(h, nodes)
    assert weights[0][0] != 0.0
    assert not torch.stack(weights)[:, 1:].any()


def nonlinear(x: Function, t: torch.Tensor) -> Prediction:
    signal = Function(x.on, torch.tanh(x.values + t[:, None, None]))
    alpha, sigma = PROCESS.schedule.alpha(t), PROCESS.schedule.sigma(t)
    return Prediction(signal, (x - signal * alpha) * (1.0 / sigma))


def state(seed: int = 0) -> Function:
    generator = torch.Generator().manual_seed(seed)
    return Function(GRID, torch.randn(2, GRID.size, 1, generator=generator, dtype=torch.float64))


TIMES = torch.tensor([1.0, 0.7, 0.45, 0.2, 0.0], dtype=torch.float64)


def end(solver, times: torch.Tensor = TIMES) -> torch.Tensor:
    return end_of(solver, CallableDenoiser(PROCESS, nonlinear), state(), times).values


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DPMSolverPP(1), DDIM()),
        (DPMSolverPP(1, stochastic=True), DDPM()),
        (DDIM(1.0), DDPM()),
    ],
    ids=str,
)
@pytest.mark.parametrize("times", [TIMES, TIMES[:-1]], ids=["to the data", "to a noise"])
def test_rules_that_are_the_same(one, other, times: torch.Tensor):
    torch.testing.assert_close(end(one, times), end(other, times), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "solver", [DPMSolverPP(2), DPMSolverPP(3), UniPC(1), UniPC(2), UniPC(3)], ids=str
)
def test_a_first_step_is_ddim_s(solver):
    torch.testing.assert_close(end(solver, TIMES[:2]), end(DDIM(), TIMES[:2]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("solver", [DPMSolverPP(2), DPMSolverPP(3), UniPC(2), UniPC(3)], ids=str)
def test_memory_matters_and_lives_in_the_call_alone(solver):
    assert (end(solver) - end(DDIM())).abs().max() > 1e-3
    torch.testing.assert_close(end(solver), end(solver), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("solver", "kept"), [(DPMSolverPP(1), 0), (DPMSolverPP(3), 2), (UniPC(1), 1), (UniPC(3), 3)]
)
def test_memory_is_as_long_as_is_needed(solver, kept: int):
    memory, x = (), state()
    for t, s in itertools.pairwise(TIMES):
        now, after = t.expand(2), s.expand(2)
        generator = torch.Generator()
        x, memory = solver.advance(
            CallableDenoiser(PROCESS, nonlinear), x, now, after, memory, generator=generator
        )
        assert all(isinstance(past, Past) for past in memory)
    assert [past.t[0].item() for past in memory] == TIMES[:-1].flip(0)[:kept].tolist()


def test_euler_maruyama_takes_back_what_the_process_does_on_average():
    """Off an end: x less the mean increment of the transition, along the score, and its noise."""
    x = state()
    t, s = torch.tensor([0.7, 0.4]).double(), torch.tensor([0.5, 0.39]).double()
    draw = {"batch": 2, "channels": 1, "dtype": torch.float64}
    noise = PROCESS.draw_noise(GRID, generator=torch.Generator().manual_seed(5), **draw)
    generator = torch.Generator().manual_seed(5)
    found = EulerMaruyama().step(CallableDenoiser(PROCESS, nonlinear), x, t, s, generator=generator)
    there = PROCESS.transition(x, s, t).mean
    std = PROCESS.transition_coefficients(s, t).std
    score = nonlinear(x, t).noise * (-1.0 / PROCESS.schedule.sigma(t))
    expected = x - (there - x) + score * std**2 + noise * std
    torch.testing.assert_close(found.values, expected.values, rtol=0, atol=1e-12)


def test_without_a_drift_euler_maruyama_is_ancestral_sampling_with_the_transition_s_variance():
    process = DiffusionProcess.white(VarianceExplodingSchedule(0.01, 10.0), noise=WhiteNoise(0.3))

    def bent(x: Function, t: torch.Tensor) -> Prediction:
        signal = Function(x.on, torch.tanh(x.values))
        return Prediction(signal, (x - signal) * (1.0 / process.schedule.sigma(t)))

    found, expected = (
        end_of(solver, CallableDenoiser(process, bent), state(), TIMES).values
        for solver in (EulerMaruyama(), DDPM("transition"))
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "solver",
    [DDIM(), DDPM(), EulerMaruyama(), Heun(), Heun("ratio"), DPMSolverPP(3), UniPC(3)],
    ids=str,
)
def test_a_step_along_a_flat_piece_changes_nothing(solver):
    flat = torch.tensor([1.0, 0.99999, 0.99998, 0.7, 0.4, 0.0], dtype=torch.float64)
    alpha = PROCESS.schedule.alpha(flat)
    assert alpha[0] == alpha[1] == alpha[2]
    first = end(solver, flat[:3])
    torch.testing.assert_close(first, state().values, rtol=0, atol=1e-9)
    assert end(solver, flat).isfinite().all()


@pytest.mark.parametrize(
    "solver", [DDIM(), Heun(), Heun("ratio"), DPMSolverPP(2), DPMSolverPP(3), UniPC(3)], ids=str
)
def test_each_sample_has_its_times(solver):
    """Also where one sample's step goes to the data and the other's does not."""
    own = torch.tensor([[0.9, 0.8], [0.6, 0.5], [0.3, 0.35], [0.0, 0.1]], dtype=torch.float64)

    def run(pick: slice) -> torch.Tensor:
        memory, x = (), Function(GRID, state().values[pick])
        for t, s in zip(own[:-1, pick], own[1:, pick], strict=True):
            generator = torch.Generator()
            if isinstance(solver, DPMSolverPP | UniPC):
                x, memory = solver.advance(
                    CallableDenoiser(PROCESS, nonlinear), x, t, s, memory, generator=generator
                )
            else:
                x = solver.step(CallableDenoiser(PROCESS, nonlinear), x, t, s, generator=generator)
        return x.values

    together = run(slice(0, 2))
    for i in range(2):
        torch.testing.assert_close(together[i : i + 1], run(slice(i, i + 1)), rtol=0, atol=1e-12)
