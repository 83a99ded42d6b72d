"""Each law of operators, models, denoisers and parameterisations catches what breaks it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from mutants import Given, assert_caught, assert_every_law_has_one, cases

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    LinearOperator,
    NoisePrediction,
    Prediction,
    RandomField,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.processes import Parameterisation
from inftydiff.testing import GaussianDenoiser

T = gaussian_mollifier(0.15)


@dataclass(frozen=True)
class Operator(LinearOperator):
    """An operator given by what it does to values, and to fields; self-adjoint unless told."""

    act: Callable[[Function], torch.Tensor]
    on_field: Callable[[RandomField], object] | None = None
    back: LinearOperator | None = None

    def __call__(self, f):
        if isinstance(f, RandomField):
            if self.on_field is None:
                raise TypeError("not spectral")
            return self.on_field(f)
        return Function(f.on, self.act(f))

    @property
    def adjoint(self):
        return self if self.back is None else self.back


def slope(f: Function) -> torch.Tensor:
    """Multiply by a function that is not constant: self-adjoint."""
    return f.values * (1.0 + f.on.points[:, :1].to(f.values))


def shift(f: Function) -> torch.Tensor:
    return f.values.roll(1, -2)


def doubled_in_place(f: Function) -> torch.Tensor:
    return f.values.mul_(2.0)


def about_the_present_points(f: Function) -> torch.Tensor:
    """Subtract the mean over the points that are not zero."""
    present = (f.values != 0).sum(-2, keepdim=True).clamp(min=1)
    return f.values - f.values.sum(-2, keepdim=True) / present


def noisy(f: Function) -> torch.Tensor:
    return f.values + 0.0 * torch.rand(())


def with_nodes_for_centres(f: Function) -> torch.Tensor:
    """Multiply by x₁, but on a grid take its nodes from 0 to 1 for the cell centres."""
    if not isinstance(f.on, Grid):
        return f.values * f.on.points[..., :1].to(f.values)
    nodes = torch.linspace(0, 1, f.on.shape[0]).repeat_interleave(f.on.size // f.on.shape[0])
    return f.values * nodes.unsqueeze(-1).to(f.values)


def about_the_mean_of_the_list(f: Function) -> torch.Tensor:
    """Subtract the mean over the points, whatever they gradient."""
    return f.values - f.values.mean(-2, keepdim=True)


OPERATORS = {
    "additivity": [
        Operator(lambda f: f.values + 1.0),
        Operator(lambda f: f.values**3),
        Operator(lambda f: f.values.clamp(-1.0, 1.0)),
        Operator(lambda f: f.values.bfloat16().to(f.values.dtype)),
    ],
    "homogeneity": [
        Operator(lambda f: f.values.abs()),
        Operator(lambda f: f.values * f.values.abs().amax((-2, -1), keepdim=True)),
    ],
    "adjoint": [
        Operator(shift),
        Operator(lambda f: f.values.cumsum(-1)),
        Operator(lambda f: T(f).values, back=2.0 * T),
    ],
    "adjoint_of_the_adjoint": [Operator(lambda f: T(f).values, back=Operator(slope))],
    "agrees_with_its_matrix": [Operator(about_the_present_points)],
    "no_mutation": [Operator(doubled_in_place)],
    "no_global_randomness": [Operator(noisy), Operator(lambda f: torch.rand_like(f.values))],
    "batch_independence": [
        Operator(lambda f: f.values - f.values.mean(0)),
        Operator(lambda f: f.values / f.values.square().mean().sqrt()),
    ],
    "dtype_and_device": [
        Operator(lambda f: f.values.double()),
        Operator(lambda f: f.values.float() * 1.0),
    ],
    "points_decide": [Operator(shift), Operator(with_nodes_for_centres)],
    "zero_weights_are_absent": [Operator(about_the_mean_of_the_list)],
    "random_fields": [
        Operator(lambda f: T(f).values, on_field=lambda x: T(T(x))),
        Operator(lambda f: T(f).values, on_field=lambda x: x(Grid((4, 4)))),
    ],
}


def model(act: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]):
    """A model given by what it does to values and times."""
    return lambda x, t: Function(x.on, act(x.values, t))


def in_batches(values, t):
    return torch.nn.functional.batch_norm(values.mT, None, None, training=True).mT


def with_dropout(values, t):
    return torch.nn.functional.dropout(values, 0.5)


def with_places(values, t):
    """Add a feature of the position in the list of points."""
    return values + torch.linspace(0, 1, values.shape[-2])[:, None]


def with_sums(values, t):
    """Sum over points where the mean, an integral, is meant."""
    return values + 0.01 * values.square().sum(-2, keepdim=True)


MODELS = {
    "answers_where_asked": [
        model(lambda values, t: values.double()),
        model(lambda values, t: values[:1]),
        model(lambda values, t: values / 0.0),
        lambda x, t: Function(Grid((x.on.size,)), x.values),
        lambda x, t: x.values,
    ],
    "reproducible": [model(with_dropout)],
    "no_mutation": [
        model(lambda values, t: values.mul_(2.0)),
        model(lambda v, t: v * t.zero_()[0]),
    ],
    "no_global_randomness": [model(with_dropout)],
    "batch_independence": [
        model(in_batches),
        model(lambda values, t: values * t.mean()),
        model(lambda values, t: values - values.mean((0, 1))),
    ],
    "point_permutation": [model(with_places)],
    "discretisation_convergence": [model(with_sums)],
}


PROCESS = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.1), noise=WhiteNoise())
EXACT = GaussianDenoiser(PROCESS, GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise()))
SCHEDULE = PROCESS.schedule


@dataclass(frozen=True)
class Wrong:
    """The exact denoiser, with a change of its answers that may be of any kind."""

    change: Callable[[Prediction, Function, torch.Tensor], object]
    process: DiffusionProcess = PROCESS

    def __call__(self, x_t, t):
        return self.change(EXACT(x_t, t), x_t, t)


def denoiser(change: Callable[[Prediction, Function, torch.Tensor], object]) -> Given:
    """The exact denoiser, its answers changed."""
    return Given(Wrong(change), {"dtype": torch.float64})


def rederived(signal: Function, x_t: Function, t: torch.Tensor) -> Prediction:
    return Prediction(signal, (x_t - signal * SCHEDULE.alpha(t)) * (1.0 / SCHEDULE.sigma(t)))


def with_amplitudes_swapped(p: Prediction, x_t: Function, t: torch.Tensor) -> Prediction:
    return Prediction(p.signal, (x_t - p.signal * SCHEDULE.sigma(t)) * (1.0 / SCHEDULE.alpha(t)))


def clipped(p: Prediction, x_t: Function, t: torch.Tensor) -> Prediction:
    """Clip the signal, and forget that the noise follows from it."""
    return Prediction(Function(x_t.on, p.signal.values.clamp(-0.1, 0.1)), p.noise)


def signal_of(change: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Given:
    """The exact denoiser with another signal, from which the noise follows."""
    return denoiser(lambda p, x, t: rederived(Function(x.on, change(p.signal.values, t)), x, t))


def in_place(p: Prediction, x_t: Function, t: torch.Tensor) -> Prediction:
    x_t.values.clamp_(-0.5, 0.5)
    return p


DENOISERS = {
    "answers_with_a_prediction": [
        denoiser(lambda p, x, t: p.signal),
        denoiser(lambda p, x, t: Prediction(Function(x.on, p.signal.values.float()), p.noise)),
        denoiser(
            lambda p, x, t: Prediction(p.signal, p.noise, Function(Grid((1,)), x.values[:, :1]))
        ),
        denoiser(lambda p, x, t: Prediction(p.signal, Function(x.on, p.noise.values[:1]))),
    ],
    "explains_the_state": [
        denoiser(with_amplitudes_swapped),
        denoiser(clipped),
        denoiser(lambda p, x, t: Prediction(p.signal, x)),
        denoiser(lambda p, x, t: Prediction(p.signal, Function(x.on, p.noise.values.abs()))),
    ],
    "reproducible": [signal_of(lambda f, t: f + 0.01 * torch.rand(()))],
    "no_mutation": [denoiser(in_place)],
    "no_global_randomness": [signal_of(lambda f, t: f + 0.0 * torch.rand(()))],
    "batch_independence": [
        signal_of(lambda f, t: f - f.mean(0)),
        signal_of(lambda f, t: f * t.mean()),
    ],
    "point_permutation": [signal_of(lambda f, t: with_places(f, t))],
    "discretisation_convergence": [signal_of(lambda f, t: with_sums(f, t))],
}


@dataclass(frozen=True)
class WrongSign(Parameterisation):
    """Reads the noise as its negative."""

    def target(self, *, signal, noise, clean, alpha, sigma):
        return noise * -1.0

    def read(self, output, x_t, *, alpha, sigma, signal_operator):
        return NoisePrediction().read(
            output, x_t, alpha=alpha, sigma=sigma, signal_operator=signal_operator
        )


@dataclass(frozen=True)
class Unexplained(Parameterisation):
    """Predicts signal and takes the noise to be the state."""

    def target(self, *, signal, noise, clean, alpha, sigma):
        return signal

    def read(self, output, x_t, *, alpha, sigma, signal_operator):
        return Prediction(output, x_t)


@dataclass(frozen=True)
class Changed(Parameterisation):
    """Noise prediction, the amplitudes or the noise changed on the way."""

    amplitude: Callable[[torch.Tensor], torch.Tensor] = lambda a: a
    noise: Callable[[Function], Function] = lambda f: f
    swap: bool = False

    def target(self, *, signal, noise, clean, alpha, sigma):
        return self.noise(noise)

    def read(self, output, x_t, *, alpha, sigma, signal_operator):
        alpha, sigma = self.amplitude(alpha), self.amplitude(sigma)
        if self.swap:
            alpha, sigma = sigma, alpha
        return NoisePrediction().read(
            self.noise(output), x_t, alpha=alpha, sigma=sigma, signal_operator=signal_operator
        )


def in_this_place(f: Function) -> Function:
    return Function(f.on, f.values.mul_(1.5))


PARAMETERISATIONS = {
    "target_reads_back": [WrongSign(), Unexplained(), Changed(swap=True)],
    "reading_explains_the_state": [Unexplained(), Changed(swap=True)],
    "each_sample_has_its_amplitudes": [Changed(amplitude=lambda a: a.mean().expand_as(a))],
    "no_mutation": [Changed(noise=in_this_place)],
    "no_global_randomness": [Changed(noise=lambda f: f * (1.0 + 0.0 * torch.rand(()).item()))],
}
MUTANTS = {
    "operator": OPERATORS,
    "model": MODELS,
    "denoiser": DENOISERS,
    "parameterisation": PARAMETERISATIONS,
}


@pytest.mark.parametrize(("name", "mutant"), cases(MUTANTS))
def test_the_law_catches_the_mutant(name: str, mutant):
    assert_caught(name, mutant)


@pytest.mark.parametrize("kind", MUTANTS)
def test_there_is_a_mutant_for_every_law(kind: str):
    assert_every_law_has_one(MUTANTS[kind])
