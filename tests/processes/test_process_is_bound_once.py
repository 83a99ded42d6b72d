"""A denoiser knows its process: wrappers hand it on, and nothing takes another beside one."""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from types import GenericAlias
from typing import Any

import jaxtyping
import pytest
import torch

from inftydiff import operators, pipelines, processes, testing
from inftydiff.operators import Function, Grid, Identity, gaussian_mollifier, random_subset
from inftydiff.pipelines import range_projection
from inftydiff.processes import (
    DDIM,
    DDPM,
    CallableDenoiser,
    CosineSchedule,
    DDIMInversion,
    Denoiser,
    DiffusionProcess,
    GaussianMeasure,
    GuidedDenoiser,
    LinearSchedule,
    MomentMatching,
    NetworkDenoiser,
    NoisePrediction,
    Observation,
    Prediction,
    ProbabilityFlowODE,
    ProjectedDenoiser,
    Projection,
    ReverseSDE,
    SignalPrediction,
    UniPC,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    classifier_free,
    denoising_loss,
    elbo,
    evidence_bound,
    guided,
    inversion_trajectory,
    invert,
    log_likelihood,
    round_trip,
    sample,
    timesteps,
    trajectory,
    twisted_smc,
)
from inftydiff.processes.guidance import Linearisation
from inftydiff.testing import GaussianDenoiser, MixtureDenoiser
from inftydiff.testing.laws._stepping import Modewise
from inftydiff.testing.oracles import PerfectModel

GRID = Grid((4, 4))
T = gaussian_mollifier(0.2)
PROCESS = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.3))
OTHER = DiffusionProcess.mollified(LinearSchedule(), T, noise=WhiteNoise(0.3))
DATA = GaussianMeasure(None, gaussian_mollifier(0.3), WhiteNoise())
EXACT = GaussianDenoiser(PROCESS, DATA)
X = Function(GRID, torch.linspace(-1.0, 1.0, 32, dtype=torch.float64).reshape(2, 16, 1))
LATE = torch.tensor([0.5, 0.6], dtype=torch.float64)
EARLY = torch.tensor([0.2, 0.3], dtype=torch.float64)
TIMES = timesteps(3)
READS = operators.point_values(operators.Subset(GRID, torch.tensor([0, 5])), on=GRID)
SEEN = Observation(READS, torch.zeros(2, 1, dtype=torch.float64), 0.1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def says(x_t: Function, t: torch.Tensor) -> Prediction:
    return Prediction(x_t * 0.5, x_t * 0.5)


def network(x: Function, t: torch.Tensor) -> Function:
    return Function(x.on, 0.3 * x.values + t[:, None, None] * x.values.sin())


@pytest.fixture
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


DENOISERS: dict[str, Denoiser] = {
    "a function": CallableDenoiser(PROCESS, says),
    "a network": as_denoiser(PROCESS, network, predict=NoisePrediction()),
    "Gaussian data": EXACT,
    "a mixture": MixtureDenoiser(PROCESS, (0.3, 0.7), (DATA, DATA)),
    "mode by mode": Modewise(PROCESS),
    "guided": guided(MomentMatching(), EXACT, SEEN),
    "projected": ProjectedDenoiser(Projection(), EXACT, SEEN),
    "in the range": range_projection(EXACT),
    "with a condition": classifier_free(EXACT, CallableDenoiser(PROCESS, says), strength=2.0),
    "wrapped twice": range_projection(guided(MomentMatching(), EXACT, SEEN)),
}


@pytest.mark.parametrize("name", DENOISERS)
def test_a_wrapper_hands_the_process_on(name: str):
    denoiser = DENOISERS[name]
    assert isinstance(denoiser, Denoiser)
    assert denoiser.process is PROCESS
    assert isinstance(denoiser(X, LATE), Prediction)


@pytest.mark.parametrize("name", DENOISERS)
def test_the_process_cannot_be_changed(name: str):
    with pytest.raises(AttributeError):
        DENOISERS[name].process = OTHER


def test_equations_and_linearisations_have_the_process_of_their_denoiser():
    for equation in (ReverseSDE(EXACT), ProbabilityFlowODE(EXACT)):
        assert equation.process is PROCESS
    assert GuidedDenoiser(MomentMatching(), EXACT, SEEN).linearised(X, LATE).process is PROCESS


@pytest.mark.parametrize("solver", [DDPM(), UniPC(2)], ids=str)
def test_the_sampler_s_noise_and_amplitudes_are_the_denoiser_s(solver):
    """The same function, bound to one process and to another, is sampled as each of them says."""
    one, other, again = (
        sample(
            solver,
            CallableDenoiser(process, says),
            on=GRID,
            times=TIMES,
            batch=2,
            channels=1,
            generator=generator(),
        ).values
        for process in (PROCESS, OTHER, PROCESS)
    )
    assert torch.equal(one, again)
    assert not torch.allclose(one, other)


def test_the_rule_is_handed_the_process_of_the_denoiser():
    class Looking:
        seen: DiffusionProcess | None = None

        def step(self, denoiser, x_t, t, s, *, generator):
            self.seen = denoiser.process
            return denoiser(x_t, t).signal

    solver = Looking()
    sample(solver, EXACT, on=GRID, times=TIMES, batch=1, channels=1, generator=generator())
    assert solver.seen is PROCESS


def test_two_processes_are_not_mixed():
    other = GaussianDenoiser(OTHER, DATA)
    with pytest.raises(ValueError, match=r"have one process; got.*Cosine.*Linear.*Make both"):
        classifier_free(EXACT, other, strength=2.0)
    same = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.3))
    mixed = classifier_free(EXACT, GaussianDenoiser(same, DATA), strength=2.0)
    assert mixed.process == PROCESS


@pytest.mark.parametrize(
    "predict", [NoisePrediction(), SignalPrediction(), VelocityPrediction()], ids=repr
)
@pytest.mark.parametrize("error", ["square", "absolute"])
@pytest.mark.parametrize("sampled", [False, True])
def test_the_loss_is_its_formula(predict, error, sampled: bool):
    noise = WhiteNoise(0.3).draw(GRID.domain, batch=2, channels=1, generator=generator(1))
    at = random_subset(GRID, 7, batch=2, generator=generator(2)) if sampled else None
    found = denoising_loss(
        as_denoiser(PROCESS, network, predict=predict), X, LATE, at=at, error=error, noise=noise
    )
    alpha, sigma = (
        a(LATE)[:, None, None] for a in (CosineSchedule().alpha, CosineSchedule().sigma)
    )
    signal, drawn = T(X).values, T(noise)(GRID, dtype=torch.float64).values
    x_t = alpha * signal + sigma * drawn
    target = {
        NoisePrediction(): drawn,
        SignalPrediction(): signal,
        VelocityPrediction(): alpha * drawn - sigma * signal,
    }[predict]
    difference = 0.3 * x_t + LATE[:, None, None] * x_t.sin() - target
    if at is not None:
        difference = difference[torch.arange(2)[:, None], at.index]
    size = difference.square() if error == "square" else difference.abs()
    torch.testing.assert_close(found, size.mean((1, 2)), rtol=1e-10, atol=1e-12)


def test_the_clip_plays_no_part_in_the_loss():
    plain, clipped = (
        denoising_loss(
            as_denoiser(PROCESS, network, predict=SignalPrediction(), clip=clip),
            X,
            LATE,
            generator=generator(),
        )
        for clip in (None, (-1e-3, 1e-3))
    )
    assert torch.equal(plain, clipped)


@pytest.mark.parametrize("name", [name for name in DENOISERS if name != "a network"])
@pytest.mark.usefixtures("as_shipped")
def test_the_loss_is_of_networks(name: str):
    kind = type(DENOISERS[name]).__name__
    with pytest.raises(TypeError, match=rf"got {kind}.*as_denoiser\(process, model, predict=…\)"):
        denoising_loss(DENOISERS[name], X, LATE, generator=generator())


@pytest.mark.usefixtures("as_shipped")
def test_the_loss_of_what_was_given_before():
    with pytest.raises(TypeError, match="The denoiser of a loss.*as_denoiser"):
        denoising_loss(PROCESS, X, LATE, generator=generator())


@dataclasses.dataclass(frozen=True)
class Nameless:
    """Called as a denoiser is, with something else for a process."""

    process: object = "cosine"

    def __call__(self, x_t, t):
        return says(x_t, t)


RUN = {"on": GRID, "times": TIMES, "batch": 2, "channels": 1}
TAKERS: dict[str, Callable[[Any], object]] = {
    "sample": lambda d: sample(DDIM(), d, generator=generator(), **RUN),
    "trajectory": lambda d: trajectory(DDIM(), d, generator=generator(), **RUN),
    "step": lambda d: DDIM().step(d, X, LATE, EARLY, generator=generator()),
    "advance": lambda d: UniPC().advance(d, X, LATE, EARLY, (), generator=generator()),
    "rise": lambda d: DDIMInversion().inversion_step(d, X, EARLY, LATE),
    "invert": lambda d: invert(DDIMInversion(), d, X, times=TIMES),
    "inversion_trajectory": lambda d: inversion_trajectory(DDIMInversion(), d, X, times=TIMES),
    "round_trip": lambda d: round_trip(DDIMInversion(), d, X, times=TIMES),
    "guided": lambda d: guided(MomentMatching(), d, SEEN),
    "projected": lambda d: ProjectedDenoiser(Projection(), d, SEEN),
    "range_projection": range_projection,
    "classifier_free, first": lambda d: classifier_free(d, EXACT, strength=1.0),
    "classifier_free, second": lambda d: classifier_free(EXACT, d, strength=1.0),
    "twisted_smc": lambda d: twisted_smc(
        d, SEEN, on=GRID, times=TIMES, particles=2, channels=1, generator=generator()
    ),
    "log_likelihood": lambda d: log_likelihood(d, X, time=0.5),
    "elbo": lambda d: elbo(d, X, times=timesteps(3, end=0.1), generator=generator()),
    "evidence_bound": lambda d: evidence_bound(
        d, X, times=timesteps(3, end=0.1), generator=generator()
    ),
    "ReverseSDE": ReverseSDE,
    "ProbabilityFlowODE": ProbabilityFlowODE,
    "PerfectModel": lambda d: PerfectModel(d, NoisePrediction()),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (says, "function"),
        (PROCESS, "DiffusionProcess"),
        (Nameless(), "Nameless"),
        (GaussianDenoiser, "the class GaussianDenoiser"),
        (None, "None"),
    ],
    ids=["a function", "a process", "another process", "a class", "None"],
)
@pytest.mark.usefixtures("as_shipped")
def test_what_is_no_denoiser_is_refused_in_one_sentence(taker: str, given, kind: str):
    sentence = (
        r"^A denoiser has a process: make one by as_denoiser\(process, model, predict=…\), or "
        rf"CallableDenoiser\(process, f\); got {kind}\.$"
    )
    with pytest.raises(TypeError, match=sentence):
        TAKERS[taker](given)


@pytest.mark.usefixtures("as_shipped")
def test_a_function_is_bound_to_a_process():
    with pytest.raises(TypeError, match="A process must be a DiffusionProcess"):
        CallableDenoiser(says, PROCESS)
    with pytest.raises(TypeError, match="The function of a denoiser must be callable; got"):
        CallableDenoiser(PROCESS, PROCESS)
    with pytest.raises(TypeError, match="The function of a denoiser must be called with"):
        CallableDenoiser(PROCESS, Identity())


def names_a_process(parameter: inspect.Parameter) -> bool:
    return parameter.name == "process" or parameter.annotation is DiffusionProcess


def has_a_process(parameter: inspect.Parameter) -> bool:
    """Whether what is given for a parameter knows the process."""
    kind = parameter.annotation
    if not isinstance(kind, type):
        return "denoise" in parameter.name
    own = (
        {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else ()
    )
    return "denoise" in parameter.name or "process" in {*own, *dir(kind)}


def given_twice(call: Callable[..., object]) -> bool:
    parameters = inspect.signature(call).parameters.values()
    return any(map(names_a_process, parameters)) and any(map(has_a_process, parameters))


def public_calls() -> Iterator[tuple[str, Callable[..., object]]]:
    """Functions, constructors and public methods of what is exported."""
    modules = (processes, processes.guidance, processes.solvers, pipelines, testing)
    for module in (*modules, testing.oracles):
        for name in module.__all__:
            thing = getattr(module, name)
            if not callable(thing) or isinstance(thing, GenericAlias):
                continue
            yield f"{module.__name__}.{name}", thing.__init__ if isinstance(thing, type) else thing
            if isinstance(thing, type):
                for method, function in inspect.getmembers(thing, inspect.isfunction):
                    if not method.startswith("_") or method == "__call__":
                        yield f"{module.__name__}.{name}.{method}", function


CALLS = dict(public_calls())


@pytest.mark.parametrize("name", CALLS)
def test_nothing_takes_a_process_beside_a_denoiser(name: str):
    assert not given_twice(CALLS[name])


def test_the_signatures_that_are_looked_at_are_many():
    takers = [name for name, call in CALLS.items() if given_a_denoiser(call)]
    assert len(CALLS) > 200
    for name in (
        "sample",
        "guided",
        "elbo",
        "DDIM.step",
        "UniPC.advance",
        "DDIMInversion.inversion_step",
    ):
        assert f"inftydiff.processes.{name}" in takers


def given_a_denoiser(call: Callable[..., object]) -> bool:
    return any(map(has_a_process, inspect.signature(call).parameters.values()))


def test_a_signature_that_takes_both_is_found():
    def by_name(process, denoiser): ...

    def by_kind(of: DiffusionProcess, by: Denoiser): ...

    def of_a_field(process: object, by: NetworkDenoiser): ...

    def of_a_property(process: object, at: Linearisation): ...

    def of_neither(x: Function, t: torch.Tensor): ...

    def of_a_process(process: DiffusionProcess, x: Function): ...

    assert all(map(given_twice, (by_name, by_kind, of_a_field, of_a_property)))
    assert not any(map(given_twice, (of_neither, of_a_process)))
