"""Each law of operators, models and parameterisations catches an object that breaks it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from mutants import assert_caught, assert_every_law_has_one, cases

from inftydiff import (
    Function,
    Grid,
    LinearOperator,
    NoisePrediction,
    Prediction,
    RandomField,
    gaussian_mollifier,
)
from inftydiff.processes import Parameterisation

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
        Operator(lambda f: f.values / f.values.std()),
    ],
    "dtype_and_device": [
        Operator(lambda f: f.values.double()),
        Operator(lambda f: f.values.float() * 1.0),
    ],
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
        lambda x, t: Function(Grid((8, 32)), x.values),
        lambda x, t: x.values,
        lambda x, t: Prediction(x, x, Function(x.on, x.values.double())),
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


PARAMETERISATIONS = {
    "target_reads_back": [WrongSign(), Unexplained()],
    "reading_explains_the_state": [Unexplained()],
}
MUTANTS = {"operator": OPERATORS, "model": MODELS, "parameterisation": PARAMETERISATIONS}


@pytest.mark.parametrize(("name", "mutant"), cases(MUTANTS))
def test_the_law_catches_the_mutant(name: str, mutant):
    assert_caught(name, mutant)


@pytest.mark.parametrize("kind", MUTANTS)
def test_there_is_a_mutant_for_every_law(kind: str):
    assert_every_law_has_one(MUTANTS[kind])
