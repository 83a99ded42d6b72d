"""With white noise whole trajectories are those of diffusers, with our schedules put in.

DDPM; DPM-Solver++ (2M, 3M with the weight that diffusers has, SDE 2M with its noise put in); UniPC
with bh2 and data prediction. DDIM's are compared where its steps are. DDPM and DDIM are also
compared with schedulers as diffusers makes them, by a process of the scheduler's schedule.
"""

import diffusers
import pytest
import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    LinearSchedule,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    trajectory,
)
from inftydiff.processes import Schedule, from_diffusers
from inftydiff.processes.schedule import noise_ratio
from inftydiff.processes.solvers import DDIM, DDPM, DPMSolverPP, UniPC

GRID = Grid((6, 4))
NOISE = WhiteNoise(GRID.cell_volume**0.5)
SCHEDULES = [CosineSchedule(), LinearSchedule()]
MIDPOINT = {"solver_type": "midpoint", "lower_order_final": False}
SOLVERS = {
    "2M": (DPMSolverPP(2), {"algorithm_type": "dpmsolver++", "solver_order": 2, **MIDPOINT}),
    "3M": (
        DPMSolverPP(3, as_diffusers=True),
        {"algorithm_type": "dpmsolver++", "solver_order": 3, **MIDPOINT},
    ),
    "SDE": (
        DPMSolverPP(2, stochastic=True),
        {"algorithm_type": "sde-dpmsolver++", "solver_order": 2, **MIDPOINT},
    ),
    "1M": (DPMSolverPP(1), {"algorithm_type": "dpmsolver++", "solver_order": 1, **MIDPOINT}),
}
TOLERANCE = 1e-5

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def network(x: Function, t: torch.Tensor) -> Function:
    """Something that depends on state and time."""
    mixed = x.values @ torch.tensor([[0.5, 0.2], [-0.4, 0.6]], dtype=torch.float64)
    return Function(x.on, torch.tanh(mixed) + t[:, None, None] * x.values.mean(1, keepdim=True))


def put_in(scheduler, schedule: Schedule, calls: int) -> torch.Tensor:
    """Give a scheduler our schedule's numbers in float64; the times of its steps and the last."""
    scheduler.set_timesteps(calls)
    end = 0.0 if scheduler.config.final_sigmas_type == "zero" else 1e-3
    indices = scheduler.timesteps.double()
    times = torch.cat([(indices + 1.0) / 1000.0, torch.tensor([end], dtype=torch.float64)])
    scheduler.sigmas = noise_ratio(schedule, times)
    return times


def theirs(scheduler, times: torch.Tensor, start: Function, noises=None) -> list[torch.Tensor]:
    """The states of diffusers' run."""
    x, states = start.to_image(), []
    for i, index in enumerate(scheduler.timesteps):
        states.append(x)
        output = network(Function(GRID, x.flatten(2).mT), times[i].expand(2)).to_image()
        extra = {} if noises is None else {"variance_noise": noises[i]}
        x = scheduler.step(output, index, x, **extra).prev_sample
    return [*states, x]


def compare(
    solver, schedule: Schedule, scheduler, calls: int, *, states: int | None = None
) -> None:
    """Hold our states against theirs, the first so many of them."""
    process = DiffusionProcess.white(schedule, noise=NOISE)
    denoiser = as_denoiser(process, network, predict=VelocityPrediction())
    times = put_in(scheduler, schedule, calls)
    generator = torch.Generator().manual_seed(calls)
    values = torch.randn(2, GRID.size, 2, generator=generator, dtype=torch.float64)
    start = Function(GRID, values)
    noises = None
    if isinstance(solver, DPMSolverPP) and solver.stochastic:
        generator = torch.Generator().manual_seed(1)
        draw = {"batch": 2, "channels": 2, "generator": generator, "dtype": torch.float64}
        noises = [process.draw_noise(GRID, **draw).to_image() for _ in range(calls)]
    expected = theirs(scheduler, times, start, noises)
    ours = trajectory(
        solver,
        denoiser,
        on=GRID,
        times=times,
        batch=2,
        channels=2,
        generator=torch.Generator().manual_seed(1),
        start=start,
    )
    pairs = list(zip(ours, expected, strict=True))
    assert (pairs[-1][1] - pairs[0][1]).abs().max() > 0.1
    for state, image in pairs[:states]:
        scale = max(1.0, image.abs().max().item())
        torch.testing.assert_close(state.x.to_image(), image, rtol=0, atol=TOLERANCE * scale)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("calls", [1, 2, 7, 20])
@pytest.mark.parametrize("name", SOLVERS)
def test_dpm_solver(name: str, calls: int, schedule: Schedule):
    solver, options = SOLVERS[name]
    scheduler = diffusers.DPMSolverMultistepScheduler(
        1000, prediction_type="v_prediction", final_sigmas_type="zero", **options
    )
    compare(solver, schedule, scheduler, calls)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("calls", [1, 2, 7, 20])
@pytest.mark.parametrize("order", [1, 2])
def test_unipc(order: int, calls: int, schedule: Schedule):
    scheduler = diffusers.UniPCMultistepScheduler(
        1000, prediction_type="v_prediction", solver_order=order, final_sigmas_type="zero"
    )
    compare(UniPC(order), schedule, scheduler, calls)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("calls", [3, 7, 20])
@pytest.mark.parametrize("order", [2, 3])
def test_unipc_to_a_time_with_noise(order: int, calls: int, schedule: Schedule):
    scheduler = diffusers.UniPCMultistepScheduler(
        1000,
        prediction_type="v_prediction",
        solver_order=order,
        lower_order_final=False,
        final_sigmas_type="sigma_min",
    )
    compare(UniPC(order), schedule, scheduler, calls)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_unipc_of_order_three_up_to_where_diffusers_lowers_the_order(schedule: Schedule):
    scheduler = diffusers.UniPCMultistepScheduler(
        1000, prediction_type="v_prediction", solver_order=3, final_sigmas_type="zero"
    )
    compare(UniPC(3), schedule, scheduler, 15, states=-2)


def test_order_three_of_diffusers_is_another_rule_than_ours():
    scheduler = diffusers.DPMSolverMultistepScheduler(
        1000, prediction_type="v_prediction", **SOLVERS["3M"][1]
    )
    with pytest.raises(AssertionError, match="not close"):
        compare(DPMSolverPP(3), LinearSchedule(), scheduler, 7)


def compare_with_draws(solver, process, scheduler, patch: pytest.MonkeyPatch, **options) -> int:
    """Hold every state of ours against theirs, with our noise put in; how often they drew."""
    denoiser = as_denoiser(process, network, predict=VelocityPrediction())
    times = torch.cat([(scheduler.timesteps + 1.0).double() / 1000.0, torch.zeros(1)]).double()
    generator, draws = torch.Generator().manual_seed(3), []
    start = Function(GRID, torch.randn(2, GRID.size, 2, generator=generator, dtype=torch.float64))
    generator = torch.Generator().manual_seed(1)

    def drawn(*args, **kwargs) -> torch.Tensor:
        fresh = process.draw_noise(
            GRID, batch=2, channels=2, generator=generator, dtype=torch.float64
        )
        draws.append(fresh)
        return fresh.to_image()

    for module in (diffusers.schedulers.scheduling_ddpm, diffusers.schedulers.scheduling_ddim):
        patch.setattr(module, "randn_tensor", drawn)
    x = start.to_image()
    expected = [x]
    for i, index in enumerate(scheduler.timesteps):
        output = network(Function(GRID, x.flatten(2).mT), times[i].expand(2)).to_image()
        x = scheduler.step(output, index, x, **options).prev_sample
        expected.append(x)
    ours = trajectory(
        solver,
        denoiser,
        on=GRID,
        times=times,
        batch=2,
        channels=2,
        generator=torch.Generator().manual_seed(1),
        start=start,
    )
    for state, image in zip(ours, expected, strict=True):
        scale = max(1.0, image.abs().max().item())
        torch.testing.assert_close(state.x.to_image(), image, rtol=0, atol=TOLERANCE * scale)
    return len(draws)


VARIANCES = {"posterior": "fixed_small", "transition": "fixed_large"}


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("variance", VARIANCES)
def test_a_whole_ddpm_trajectory(
    variance: str, schedule: Schedule, monkeypatch: pytest.MonkeyPatch
):
    process = DiffusionProcess.white(schedule, noise=NOISE)
    scheduler = diffusers.DDPMScheduler(
        1000,
        prediction_type="v_prediction",
        clip_sample=False,
        variance_type=VARIANCES[variance],
    )
    scheduler.alphas_cumprod = schedule.alpha((torch.arange(1000).double() + 1.0) / 1000.0) ** 2
    scheduler.one = torch.ones((), dtype=torch.float64)
    scheduler.set_timesteps(20)
    assert compare_with_draws(DDPM(variance), process, scheduler, monkeypatch) == 19


BETAS = ["linear", "scaled_linear", "squaredcos_cap_v2"]
UNCLIPPED = {"prediction_type": "v_prediction", "clip_sample": False}


@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize("variance", VARIANCES)
def test_a_scheduler_as_it_is_and_our_ddpm(
    variance: str, betas: str, monkeypatch: pytest.MonkeyPatch
):
    """In its own single precision, and our process of its schedule."""
    scheduler = diffusers.DDPMScheduler(
        1000, beta_schedule=betas, variance_type=VARIANCES[variance], **UNCLIPPED
    )
    process = DiffusionProcess.white(from_diffusers(scheduler), noise=NOISE)
    scheduler.set_timesteps(20)
    assert compare_with_draws(DDPM(variance), process, scheduler, monkeypatch) == 19


@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize("eta", [0.0, 0.7])
def test_a_scheduler_as_it_is_and_our_ddim(eta: float, betas: str, monkeypatch: pytest.MonkeyPatch):
    scheduler = diffusers.DDIMScheduler(1000, beta_schedule=betas, **UNCLIPPED)
    process = DiffusionProcess.white(from_diffusers(scheduler), noise=NOISE)
    scheduler.set_timesteps(20)
    drawn = compare_with_draws(DDIM(eta), process, scheduler, monkeypatch, eta=eta)
    assert drawn == (20 if eta else 0)
