"""Processes, solvers and guides refuse what they cannot use by a statement of their own."""

import jaxtyping
import pytest
import torch
from hostile import complaints

from inftydiff import processes as p
from inftydiff.operators import Grid, Identity, Subset, gaussian_mollifier, point_values
from inftydiff.operators.domain import Box
from inftydiff.operators.function import Function
from inftydiff.testing import GaussianDenoiser, MixtureDenoiser, matrix_of, output_law

GRID = Grid((4, 4))
T = gaussian_mollifier(0.2)
SCHEDULE = p.CosineSchedule()
PROCESS = p.DiffusionProcess.mollified(SCHEDULE, T, noise=p.WhiteNoise(0.25))
WHITE = p.DiffusionProcess.white(SCHEDULE, noise=p.WhiteNoise(0.25))
DATA = p.GaussianMeasure(None, T, p.WhiteNoise())
DENOISER = GaussianDenoiser(PROCESS, DATA)
X = Function(GRID, torch.linspace(-1, 1, 32, dtype=torch.float64).reshape(2, 16, 1))
READS = point_values(Subset(GRID, torch.tensor([0, 5])), on=GRID)
SEEN = p.Observation(READS, torch.zeros(2, 1, dtype=torch.float64), 0.1)
KNOWN = Function(Subset(GRID, torch.tensor([0, 5])), torch.zeros(2, 1, dtype=torch.float64))


def tensor(*values: float):
    return lambda: torch.tensor(values, dtype=torch.float64)


def same(value: object):
    return lambda: value


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


LATE, EARLY = tensor(0.5, 0.6), tensor(0.2, 0.3)
RUN = {
    "denoiser": same(DENOISER),
    "on": same(GRID),
    "times": tensor(1.0, 0.5, 0.0),
    "batch": same(2),
    "channels": same(1),
    "generator": seeded,
    "start": same(None),
}
STEP = {
    "denoiser": same(DENOISER),
    "x_t": same(X),
    "t": LATE,
    "s": EARLY,
    "generator": seeded,
}
RISE = {k: STEP[k] for k in ("denoiser", "t", "s")} | {"x_s": same(X)}
INVERSION = {
    "inversion": same(p.DDIMInversion()),
    "denoiser": same(DENOISER),
    "x": same(X),
    "times": tensor(1.0, 0.5, 0.0),
}
GUIDED = {"denoiser": same(DENOISER), "observation": same(SEEN)}
BOUND = {
    "denoiser": same(GaussianDenoiser(WHITE, DATA)),
    "x0": same(X),
    "times": tensor(0.9, 0.5, 0.1),
    "variance": same("posterior"),
    "smooth_data": same(False),
    "generator": seeded,
}


def shrink(x: Function, t: torch.Tensor) -> Function:
    return x * 0.5


def asked(denoiser) -> p.Prediction:
    return denoiser(X, LATE())


CASES = {
    "ConstantSchedule": (p.ConstantSchedule, {"beta": same(0.01)}),
    "FlowMatchingSchedule": (p.FlowMatchingSchedule, {"shift": same(1.0)}),
    "ShiftedCosineSchedule": (p.ShiftedCosineSchedule, {"shift": same(1.0)}),
    "VarianceExplodingSchedule": (
        p.VarianceExplodingSchedule,
        {"sigma_min": same(0.1), "sigma_max": same(5.0)},
    ),
    "SigmoidSchedule": (
        p.SigmoidSchedule,
        {"start": same(-3.0), "end": same(3.0), "temperature": same(1.0)},
    ),
    "TabulatedSchedule": (
        p.TabulatedSchedule,
        {"times": same((0, 1)), "alphas": same((1, 0.1)), "sigmas": same((0, 1))},
    ),
    "preserving": (p.TabulatedSchedule.preserving, {"alpha_bars": tensor(0.9, 0.5)}),
    "alpha": (SCHEDULE.alpha, {"t": LATE}),
    "sigma": (p.LinearSchedule().sigma, {"t": LATE}),
    "log_snr": (p.log_snr, {"schedule": same(SCHEDULE), "t": LATE}),
    "noise_variance_rate": (p.noise_variance_rate, {"schedule": same(SCHEDULE), "t": LATE}),
    "time_at_ratio": (p.time_at_ratio, {"schedule": same(SCHEDULE), "ratio": LATE}),
    "timesteps": (
        p.timesteps,
        {
            "n": same(4),
            "spacing": same("karras"),
            "start": same(1.0),
            "end": same(0.0),
            "schedule": same(SCHEDULE),
            "least_ratio": same(0.01),
            "greatest_ratio": same(100.0),
        },
    ),
    "WhiteNoise.draw": (
        p.WhiteNoise().draw,
        {
            "domain": same(Box((1.0, 1.0))),
            "batch": same(2),
            "channels": same(1),
            "generator": seeded,
        },
    ),
    "GaussianMeasure": (
        p.GaussianMeasure,
        {"mean": same(None), "factor": same(T), "noise": same(p.WhiteNoise())},
    ),
    "GaussianMeasure.sample": (
        DATA.sample,
        {"on": same(GRID), "batch": same(2), "channels": same(1), "generator": seeded},
    ),
    "condition": (DATA.condition, {"observed": same(KNOWN), "noise_std": same(0.1)}),
    "DiffusionProcess": (
        p.DiffusionProcess,
        {
            "schedule": same(SCHEDULE),
            "signal": same(T),
            "noise_factor": same(T),
            "noise": same(p.WhiteNoise()),
        },
    ),
    "marginal": (PROCESS.marginal, {"x0": same(X), "t": LATE}),
    "transition": (PROCESS.transition, {"x_s": same(X), "s": EARLY, "t": LATE}),
    "posterior": (PROCESS.posterior, {"x_t": same(X), "x0": same(X), "t": LATE, "s": EARLY}),
    "amplitudes": (PROCESS.amplitudes, {"t": LATE, "on": same(GRID)}),
    "as_denoiser": (
        lambda **arguments: asked(p.as_denoiser(**arguments)),
        {
            "process": same(PROCESS),
            "model": same(shrink),
            "predict": same(p.NoisePrediction()),
            "clip": same((-1, 1)),
        },
    ),
    "denoising_loss": (
        p.denoising_loss,
        {
            "denoiser": same(p.as_denoiser(PROCESS, shrink, predict=p.NoisePrediction())),
            "x0": same(X),
            "t": LATE,
            "at": same(None),
            "weight": same("simple"),
            "error": same("square"),
            "generator": seeded,
            "noise": same(None),
        },
    ),
    "sample": (p.sample, {"solver": same(p.DDIM())} | RUN),
    "DDIM": (p.DDIM, {"eta": same(0.5)}),
    "DDPM": (p.DDPM, {"variance": same("posterior")}),
    "Heun": (p.Heun, {"variable": same("ratio")}),
    "DPMSolverPP": (p.DPMSolverPP, {"order": same(2), "stochastic": same(False)}),
    "UniPC": (p.UniPC, {"order": same(2)}),
    "DDIM.step": (p.DDIM(0.5).step, STEP),
    "DDPM.step": (p.DDPM().step, STEP),
    "Heun.step": (p.Heun().step, STEP),
    "EulerMaruyama.step": (p.EulerMaruyama().step, STEP),
    "UniPC.advance": (p.UniPC().advance, STEP | {"memory": tuple}),
    "DPMSolverPP.advance": (p.DPMSolverPP().advance, STEP | {"memory": tuple}),
    "HeunInversion.inversion_step": (p.HeunInversion().inversion_step, RISE),
    "FixedPointInversion": (
        p.FixedPointInversion,
        {"solver": same(p.DDIM()), "tolerance": same(1e-6), "iterations": same(3)},
    ),
    "invert": (p.invert, INVERSION),
    "Observation": (
        p.Observation,
        {
            "reads": same(READS),
            "values": same(SEEN.values),
            "noise_std": same(0.1),
            "deconvolve": same(Identity()),
            "use_clean": same(False),
        },
    ),
    "guided": (
        lambda **arguments: asked(p.guided(**arguments)),
        {"guide": same(p.MomentMatching())} | GUIDED,
    ),
    "ProjectedDenoiser": (
        lambda **arguments: asked(p.ProjectedDenoiser(**arguments)),
        {"projection": same(p.Projection())} | GUIDED,
    ),
    "DPS": (p.DPS, {"strength": same(0.1)}),
    "PiGDM": (p.PiGDM, {"iterations": same(5), "signal_to_noise": same(1.0)}),
    "classifier_free": (
        lambda **arguments: asked(p.classifier_free(**arguments)),
        {"conditional": same(DENOISER), "unconditional": same(DENOISER), "strength": same(2.0)},
    ),
    "known_signal": (
        p.known_signal,
        {
            "process": same(PROCESS),
            "known": same(X),
            "mask": lambda: torch.ones(4, 4, dtype=torch.bool),
            "coverage": same(0.5),
        },
    ),
    "twisted_smc": (
        p.twisted_smc,
        {k: RUN[k] for k in ("denoiser", "on", "times", "channels", "generator")}
        | {"observation": same(SEEN), "particles": same(3), "threshold": same(0.5)},
    ),
    "rates": (p.rates, {"process": same(PROCESS), "t": LATE, "on": same(GRID)}),
    "ReverseSDE.drift": (p.ReverseSDE(DENOISER).drift, {"x": same(X), "t": LATE}),
    "Blurring": (p.Blurring, {"width": same(0.1), "floor": same(1e-3)}),
    "trace_class": (p.trace_class, {"measure": same(DATA), "domain": same(Box((1.0, 1.0)))}),
    "kl_divergence": (p.kl_divergence, {"p": same(DATA), "q": same(DATA), "on": same(GRID)}),
    "evidence_bound": (p.evidence_bound, BOUND),
    "empirical_spectrum": (p.empirical_spectrum, {"functions": same(X), "width": same(1.0)}),
    "to_diffusers": (p.to_diffusers, {"schedule": same(SCHEDULE), "steps": same(4)}),
    "CallableDenoiser": (
        lambda **arguments: asked(p.CallableDenoiser(**arguments)),
        {"process": same(PROCESS), "function": same(DENOISER)},
    ),
    "GaussianDenoiser": (GaussianDenoiser, {"process": same(PROCESS), "data": same(DATA)}),
    "MixtureDenoiser": (
        MixtureDenoiser,
        {"process": same(PROCESS), "weights": same((1.0,)), "components": same((DATA,))},
    ),
    "matrix_of": (
        matrix_of,
        {"operator": same(T), "on": same(GRID), "batch": same(1), "channels": same(1)},
    ),
    "output_law": (
        output_law,
        {k: RUN[k] for k in ("on", "times")}
        | {
            "process": same(PROCESS),
            "solver": same(p.DDIM()),
            "data": same(DATA),
            "start": same("noise"),
        },
    ),
}


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.thorough
@pytest.mark.parametrize("name", CASES)
def test_hostile_arguments(name: str):
    call, valid = CASES[name]
    assert complaints(call, valid) == []


def run_of(says) -> dict[str, object]:
    run = {name: make() for name, make in RUN.items()}
    return run | {"denoiser": p.CallableDenoiser(PROCESS, says)}


@pytest.mark.parametrize("answer", [None, 1.0, X, (X, X)])
def test_a_denoiser_that_gives_no_prediction(answer):
    with pytest.raises(TypeError, match="What a denoiser says must be a Prediction; got"):
        p.sample(p.DDIM(), **run_of(lambda *_: answer))


def test_a_denoiser_that_gives_other_channels():
    wide = Function(GRID, torch.ones(2, 16, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match=r"values of the shape of the states, \(2, 16, 1\); got"):
        p.sample(p.DDIM(), **run_of(lambda *_: p.Prediction(wide, wide)))


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex128])
@pytest.mark.parametrize("schedule", [SCHEDULE, p.LinearSchedule(), p.FlowMatchingSchedule()])
def test_times_that_would_be_truncated(schedule, dtype: torch.dtype):
    for amplitude in (schedule.alpha, schedule.sigma):
        with pytest.raises(TypeError, match="Times must be a floating-point tensor; got Tensor"):
            amplitude(torch.tensor([0, 1]).to(dtype))


@pytest.mark.parametrize("shape", [(2, 4, 8), (4, 4, 4), (2, 4, 0), (2, 16)])
def test_factors_of_other_modes(shape):
    with pytest.raises(ValueError, match=r"Factors must have the shape \(2, 4, 4\), one a sample"):
        p.scale_modes(X, torch.ones(shape))


def test_terms_that_are_none():
    with pytest.raises(ValueError, match="There must be a term to combine; got none"):
        p.linear_combination()
    for term in (X, 0, (X,), None):
        with pytest.raises(TypeError, match=r"A term must be a pair \(function, factors\); got"):
            p.linear_combination((X, LATE()), term)


def test_a_state_without_values_in_an_adaptive_step():
    gone = Function(GRID, X.values.to("meta"))
    with pytest.raises(TypeError, match="The state of an adaptive step must hold values"):
        p.ProbabilityFlow().step(DENOISER, gone, LATE(), EARLY(), generator=seeded())


def test_what_is_checked_is_kept():
    assert type(p.DDIM(1).eta) is float
    assert type(p.UniPC(3.0).order) is int
    assert type(p.FixedPointInversion(iterations=4.0).iterations) is int
    assert p.TabulatedSchedule([0, 1], [1, 0.5], [0, 1]).times == (0.0, 1.0)
    denoiser = p.as_denoiser(PROCESS, shrink, predict=p.NoisePrediction(), clip=[-1, 1])
    assert denoiser.clip == (-1.0, 1.0)
