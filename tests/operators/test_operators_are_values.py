"""Operators, and what is made of them, are equal if made alike, and equal ones hash alike.

Where it matters that S = N, two expressions of one function are as good as one.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    LinearOperator,
    Prediction,
    WhiteNoise,
    gaussian_mollifier,
    wiener_inverse,
)
from inftydiff.operators import LocalOperator, exact_inverse, fourier_samples, known_points
from inftydiff.operators._algebra import ratio_of, same_multiplier
from inftydiff.operators.covariance import bessel, matern, squared_exponential
from inftydiff.operators.mollifier import truncated_gaussian_mollifier
from inftydiff.operators.spectral import spectral_multiplier
from inftydiff.processes import (
    CallableDenoiser,
    Equivalent,
    Observation,
    RePaint,
    Singular,
    elbo,
    empirical_spectrum,
    equivalence,
)
from inftydiff.processes.spectra import multiplier_of
from inftydiff.testing import matrix_of

GRID = Grid((6,))
MADE = {
    "heat": lambda c: gaussian_mollifier(0.1 * c),
    "scaled": lambda c: c * gaussian_mollifier(0.1),
    "scaled by a tensor": lambda c: torch.tensor([c, 2.0]) * gaussian_mollifier(0.1),
    "negative": lambda c: -gaussian_mollifier(c),
    "composed": lambda c: (c * gaussian_mollifier(0.1)) @ gaussian_mollifier(0.2),
    "sum": lambda c: gaussian_mollifier(0.1) + c * Identity(),
    "adjoint": lambda c: (c * gaussian_mollifier(0.1)).adjoint,
    "truncated": lambda c: c * truncated_gaussian_mollifier(0.1, dim=2),
    "matern": lambda c: matern(c, 0.2, dim=1),
    "squared exponential": lambda c: squared_exponential(0.2, dim=1, std=c),
    "bessel": lambda c: bessel(c),
    "wiener": lambda c: wiener_inverse(c * gaussian_mollifier(0.1)),
    "inverse": lambda c: exact_inverse(c * gaussian_mollifier(0.1), on=GRID),
    "local": lambda c: LocalOperator(torch.full((1, 3), c), 0.1),
    "adjoint of the local": lambda c: LocalOperator(torch.full((1, 3), c), 0.1).adjoint,
    "function": lambda c: Function(GRID, GRID.points * c),
    "measure": lambda c: GaussianMeasure(
        Function(GRID, GRID.points), c * gaussian_mollifier(0.1), WhiteNoise()
    ),
    "process": lambda c: DiffusionProcess.mollified(CosineSchedule(), c * gaussian_mollifier(0.1)),
    "field": lambda c: (c * gaussian_mollifier(0.1))(
        WhiteNoise().draw(Box((1.0,)), batch=1, channels=1, generator=torch.Generator())
    ),
    "functionals": lambda c: fourier_samples(torch.tensor([[0.0], [1.0 * c]]), on=GRID),
    "composed functionals": lambda c: (
        known_points(torch.arange(6) < 3, on=GRID) @ (c * gaussian_mollifier(0.1))
    ),
    "observation": lambda c: Observation(
        known_points(torch.arange(6) < 3, on=GRID), torch.full((3, 1), c), noise_std=0.1
    ),
    "RePaint": lambda c: RePaint(
        Observation(known_points(torch.arange(6) < 3, on=GRID), torch.full((3, 1), c))
    ),
    "spectrum": lambda c: empirical_spectrum(Function(GRID, GRID.points * c)),
}


@pytest.mark.parametrize("name", sorted(MADE))
def test_what_is_made_alike_is_equal_and_hashes_alike(name: str):
    one, same, other = MADE[name](0.5), MADE[name](0.5), MADE[name](0.75)
    assert one is not same
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != "something else"


@given(
    scale=st.floats(-3.0, 3.0),
    kind=st.sampled_from(["number", "tensor", "float32"]),
    other=st.sampled_from(["number", "tensor", "float32"]),
)
def test_equal_scales_of_any_kind_hash_alike(scale: float, kind: str, other: str):
    made = {
        "number": scale,
        "tensor": torch.tensor(scale, dtype=torch.float64),
        "float32": torch.tensor(scale, dtype=torch.float32),
    }
    T = gaussian_mollifier(0.1)
    one, two = made[kind] * T, made[other] * gaussian_mollifier(0.1)
    assert (one == two) == (float(made[kind]) == float(made[other]))
    if one == two:
        assert hash(one) == hash(two)


def test_one_scale_a_sample_is_compared_sample_by_sample():
    T, c = gaussian_mollifier(0.1), torch.tensor([1.0, 2.0])
    assert c * T == c.clone() * T
    assert c * T != torch.tensor([1.0, 3.0]) * T
    assert c * T != torch.tensor([1.0, 2.0, 2.0]) * T
    assert c * T != 1.0 * T
    assert torch.tensor([1.0]) * T != 1.0 * T


T, WIDE = gaussian_mollifier(0.3), gaussian_mollifier(0.5)
ROUGH, CUT = truncated_gaussian_mollifier(0.1, dim=1), matern(0.7, 0.2, dim=1)
ALIKE: list[tuple[LinearOperator, LinearOperator]] = [
    (1.0 * T, T),
    (2.0 * (3.0 * T), 6.0 * T),
    (0.1 * T + 0.2 * T, 0.3 * T),
    (T @ gaussian_mollifier(0.4), WIDE),
    (T @ WIDE @ ROUGH, ROUGH @ (WIDE @ T)),
    ((T + Identity()) @ (T - Identity()), T @ T - Identity()),
    (2.0 * ROUGH - ROUGH, ROUGH),
    (CUT @ T, T @ matern(0.7, 0.2, dim=1)),
    (bessel(1.0) @ bessel(2.0), bessel(3.0)),
    (squared_exponential(0.3, dim=1), (0.18 * math.pi) ** 0.25 * gaussian_mollifier(0.045**0.5)),
    (wiener_inverse(T) @ T, T @ wiener_inverse(T)),
    (torch.tensor([2.0, 3.0]) * T, torch.tensor([1.0, 1.5]) * (T + T)),
]
APART = [
    (T, 2.0 * T),
    (T, WIDE),
    (T, T @ T),
    (T + Identity(), T),
    (ROUGH, truncated_gaussian_mollifier(0.1, dim=1, cutoff=50.0)),
    (torch.tensor([1.0, 2.0]) * T, T),
    (T, T - T),
]


@pytest.mark.parametrize(("first", "second"), ALIKE)
def test_two_expressions_of_one_function_are_recognised(first, second):
    one, two = multiplier_of(first), multiplier_of(second)
    assert same_multiplier(one, two)
    assert same_multiplier(two, one)
    eigenvalues = torch.linspace(0.0, 300.0, 7, dtype=torch.float64)
    torch.testing.assert_close(one(eigenvalues), two(eigenvalues), rtol=1e-9, atol=1e-30)


@pytest.mark.parametrize(("first", "second"), APART)
def test_other_functions_are_not_taken_for_one(first, second):
    assert not same_multiplier(multiplier_of(first), multiplier_of(second))
    assert not same_multiplier(multiplier_of(second), multiplier_of(first))


def test_multiples_are_told_by_how_much():
    assert ratio_of(multiplier_of(T + T), multiplier_of(0.5 * T)) == 4.0
    assert ratio_of(multiplier_of(T), multiplier_of(WIDE)) is None
    assert spectral_multiplier(2.0 * T @ LocalOperator(torch.ones(1, 3), 0.1)) is None


SIGNALS = {
    "2 T": lambda: 2.0 * gaussian_mollifier(1 / 16),
    "tensor": lambda: torch.tensor(2.0) * gaussian_mollifier(1 / 16),
    "T T": lambda: gaussian_mollifier(1 / 16) @ gaussian_mollifier(1 / 16),
    "truncated": lambda: 0.5 * truncated_gaussian_mollifier(1 / 16, dim=1),
    "sum": lambda: 0.5 * gaussian_mollifier(1 / 16) + gaussian_mollifier(1 / 32),
}


@pytest.mark.parametrize("name", sorted(SIGNALS))
def test_the_bound_of_a_process_with_s_equal_to_n_inverts_nothing(name: str):
    """On a grid where N has modes lost to rounding; a model that says zero has the noise's law."""
    grid, noise = Grid((128,)), WhiteNoise(0.5)
    process = DiffusionProcess(
        CosineSchedule(), signal=SIGNALS[name](), noise_factor=SIGNALS[name](), noise=noise
    )
    x0 = Function(grid, torch.ones(1, 128, 1, dtype=torch.float64))
    times = torch.tensor([0.9, 0.5], dtype=torch.float64)
    found = elbo(
        CallableDenoiser(
            process, lambda x, t: Prediction(x, x, Function(grid, torch.zeros_like(x.values)))
        ),
        x0,
        times=times,
        generator=torch.Generator(),
    )
    torch.testing.assert_close(found, torch.zeros(1).double(), rtol=0, atol=1e-9)


def test_measures_of_multiples_made_twice_are_equivalent():
    def law(scale: float, intensity: float = 1.0) -> GaussianMeasure:
        T = truncated_gaussian_mollifier(0.1, dim=1)
        return GaussianMeasure(None, scale * T, WhiteNoise(intensity))

    box = Box((1.0,))
    assert isinstance(equivalence(law(2.0), law(2.0), box), Equivalent)
    assert isinstance(equivalence(law(2.0), law(1.0, 2.0), box), Equivalent)
    assert isinstance(equivalence(law(2.0), law(-2.0), box), Equivalent)
    heat = [GaussianMeasure(None, c * T, WhiteNoise()) for c in (1.0, 2.0)]
    assert isinstance(equivalence(*heat, box), Singular)


@given(scale=st.floats(0.1, 10.0))
def test_multiples_have_filters_and_inverses(scale: float):
    """Of c·T they are those of T over c, at c times the ratio."""
    T, grid = gaussian_mollifier(0.1), Grid((5,))
    found = matrix_of(wiener_inverse(scale * T, noise_to_signal=0.05 * scale), grid)
    expected = matrix_of(wiener_inverse(T, noise_to_signal=0.05), grid) / scale
    torch.testing.assert_close(found, expected)
    both = exact_inverse(scale * T, on=grid) @ (scale * T)
    torch.testing.assert_close(matrix_of(both, grid), torch.eye(5).double().unsqueeze(0))
