"""The denoiser is called as the solver says; n + 1 states; ``sample`` gives the last."""

import pytest
import torch

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
    NoisePrediction,
    Prediction,
    ProbabilityFlow,
    Subset,
    UniPC,
    WhiteNoise,
    as_denoiser,
    gaussian_mollifier,
    sample,
    timesteps,
    trajectory,
)

GRID = Grid((6, 5))
PROCESS = DiffusionProcess.mollified(
    CosineSchedule(), gaussian_mollifier(0.15), noise=WhiteNoise(0.5)
)
ONE_CALL = [
    DDPM(),
    DDPM("transition"),
    DDIM(),
    DDIM(0.5),
    DDIM(1.0),
    EulerMaruyama(),
    DPMSolverPP(1),
    DPMSolverPP(2),
    DPMSolverPP(3),
    DPMSolverPP(2, stochastic=True),
    UniPC(1),
    UniPC(2),
    UniPC(3),
]
TWO_CALLS = [Heun(), Heun("ratio")]
SOLVERS = [*ONE_CALL, *TWO_CALLS, ProbabilityFlow(rtol=1e-2, atol=1e-2)]


class Listener:
    """A denoiser that keeps what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Function, torch.Tensor]] = []
        self.said: list[Prediction] = []

    @property
    def process(self) -> DiffusionProcess:
        return PROCESS

    def __call__(self, x_t: Function, t: torch.Tensor) -> Prediction:
        self.asked.append((x_t, t))
        self.said.append(Prediction(x_t * 0.3, x_t * 0.5))
        return self.said[-1]


def run(
    solver, denoiser, n: int, *, seed: int = 0, on=GRID, batch: int = 2, start=None, times=None
):
    return trajectory(
        solver,
        denoiser,
        on=on,
        times=timesteps(n) if times is None else times,
        batch=batch,
        channels=3,
        generator=torch.Generator().manual_seed(seed),
        start=start,
    )


@pytest.mark.thorough
@pytest.mark.parametrize("solver", ONE_CALL, ids=str)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_one_call_a_step_at_its_start(solver, n: int):
    listener = Listener()
    states = list(run(solver, listener, n))
    times = timesteps(n)
    assert solver.calls == 1
    assert len(listener.asked) == n
    for (x, t), state, time in zip(listener.asked, states, times, strict=False):
        assert t.shape == (2,)
        assert torch.equal(t, time.expand(2))
        assert x is state.x


@pytest.mark.parametrize("solver", TWO_CALLS, ids=str)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_two_calls_a_step_and_one_in_the_step_to_no_noise(solver, n: int):
    listener = Listener()
    states = list(run(solver, listener, n))
    first, *between = timesteps(n).tolist()[:-1]
    assert solver.calls == 2
    assert [t[0].item() for _, t in listener.asked] == [first, *(t for t in between for _ in "12")]
    assert all(listener.asked[2 * i][0] is states[i].x for i in range(n))


@pytest.mark.thorough
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_the_denoiser_is_not_asked_where_there_is_no_noise(solver):
    listener = Listener()
    list(run(solver, listener, 3))
    assert min(t.min().item() for _, t in listener.asked) > 0.0


@pytest.mark.thorough
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_the_last_step_gives_the_signal_that_the_denoiser_said_last(solver):
    listener = Listener()
    *_, last = run(solver, listener, 4)
    torch.testing.assert_close(last.x.values, listener.said[-1].signal.values, rtol=1e-6, atol=0)


@pytest.mark.thorough
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_the_states_of_a_trajectory(solver):
    listener = Listener()
    states = list(run(solver, listener, 4))
    assert [state.t for state in states] == timesteps(4).tolist()
    assert len(states) == 5
    assert states[-1].prediction is None
    if solver.calls is not None:
        assert [s.prediction for s in states[:-1]] == listener.said[:: solver.calls]
    assert all(state.x.values.shape == (2, GRID.size, 3) for state in states)
    assert all(state.x.on == GRID for state in states)


@pytest.mark.thorough
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_sample_is_the_last_state(solver):
    *_, last = run(solver, Listener(), 5, seed=3)
    x = sample(
        solver,
        Listener(),
        on=GRID,
        times=timesteps(5),
        batch=2,
        channels=3,
        generator=torch.Generator().manual_seed(3),
    )
    assert torch.equal(x.values, last.x.values)


def test_sampling_starts_at_sigma_times_the_mollified_noise():
    for first in (1.0, 0.4):
        times = timesteps(2, start=first)
        state = next(run(DDIM(), Listener(), 2, seed=5, times=times))
        noise = PROCESS.draw_noise(
            GRID, batch=2, channels=3, generator=torch.Generator().manual_seed(5)
        )
        sigma = PROCESS.schedule.sigma(times[0]).item()
        assert torch.equal(state.x.values, sigma * noise.values)


def test_a_given_start_is_the_first_state_and_takes_no_noise():
    start = Function(GRID, torch.randn(2, GRID.size, 3, generator=torch.Generator().manual_seed(1)))
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    states = trajectory(
        DDIM(),
        Listener(),
        on=GRID,
        times=timesteps(3),
        batch=2,
        channels=3,
        generator=generator,
        start=start,
    )
    assert next(states).x is start
    list(states)
    assert torch.equal(generator.get_state(), before)


def test_a_trajectory_is_lazy():
    listener = Listener()
    states = run(DDPM(), listener, 100)
    assert not listener.asked
    next(states)
    next(states)
    assert len(listener.asked) == 2


@pytest.mark.thorough
def test_samples_on_a_subset_are_those_of_the_grid_for_a_pointwise_denoiser():
    index = torch.tensor([4, 0, 29, 7])
    subset = Subset(GRID, index)
    for solver in ONE_CALL + TWO_CALLS:
        *_, whole = run(solver, Listener(), 3, seed=2)
        *_, part = run(solver, Listener(), 3, seed=2, on=subset)
        torch.testing.assert_close(part.x.values, whole.x.values[:, index])


def test_nothing_is_differentiated_unless_the_denoiser_asks():
    weight = torch.ones((), requires_grad=True)
    graphs = []

    def network(x: Function, t: torch.Tensor) -> Function:
        graphs.append((x * weight).values.requires_grad)
        with torch.enable_grad():
            graphs.append((x * weight).values.requires_grad)
        return x

    denoiser = as_denoiser(PROCESS, network, predict=NoisePrediction(), clip=(-1.0, 1.0))
    *_, last = run(DDIM(), denoiser, 1)
    assert graphs == [False, True]
    assert not last.x.values.requires_grad
    assert torch.is_grad_enabled()


@pytest.mark.thorough
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_the_same_generator_state_gives_the_same_samples(solver):
    *_, first = run(solver, Listener(), 3, seed=1)
    *_, second = run(solver, Listener(), 3, seed=1)
    *_, third = run(solver, Listener(), 3, seed=2)
    assert torch.equal(first.x.values, second.x.values)
    assert not torch.allclose(first.x.values, third.x.values)
