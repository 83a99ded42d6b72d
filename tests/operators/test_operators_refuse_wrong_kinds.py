"""Operators, domains and functions refuse wrong kinds in words, whichever argument is of one.

Each callable is given arguments that are right but for one. Whatever that is, the answer is as for
right ones, or a ``TypeError`` or ``ValueError`` that the library raises itself.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strange import STRANGE, said_of

from inftydiff import operators as ops
from inftydiff.operators.local import automatic_backend, reference, window_reach


@pytest.fixture(autouse=True, scope="module")
def _unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


GRID = ops.Grid((4, 4))
F = ops.Function(GRID, torch.rand(2, 16, 3, dtype=torch.float64))
SOME = ops.Subset(GRID, torch.tensor([0, 3, 5]))
SENSORS = ops.Scattered(torch.rand(5, 2, dtype=torch.float64))
T = ops.gaussian_mollifier(0.1)
HEAT = ops.HeatMultiplier(0.1)
MASK = torch.ones(4, 4, dtype=torch.bool)
BASIS = ops.eigenbasis(ops.Box((1.0, 1.0)))
NEAR = ops.neighbours(GRID, size=3, cell=0.25)
TABLE = torch.ones(3, 3, 3, dtype=torch.float64)
READ = ops.known_points(MASK, on=GRID)
THERE = ops.Interpolation(GRID, SENSORS)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


CALLS: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (ops.Box, {"lengths": (1.0, 2.0), "boundary": "periodic"}),
    (ops.Grid, {"shape": (2, 3), "domain": ops.Box((1.0, 2.0))}),
    (ops.Scattered, {"points": torch.rand(3, 2), "weights": torch.ones(3), "domain": GRID.domain}),
    (ops.Subset, {"grid": GRID, "index": torch.tensor([0, 1])}),
    (ops.Function, {"on": GRID, "values": torch.ones(2, 16, 3)}),
    (ops.Function.from_image, {"image": torch.ones(2, 3, 4, 4), "domain": GRID.domain}),
    (F.inner, {"other": F}),
    (F.restrict, {"subset": SOME}),
    (lambda g: F + g, {"g": F}),
    (lambda g: F - g, {"g": F}),
    (lambda c: F * c, {"c": 2.0}),
    (ops.random_subset, {"grid": GRID, "size": 3, "batch": 2, "generator": generator()}),
    (ops.refine, {"grid": GRID, "factor": 2}),
    (ops.coarsen, {"f": F, "grid": ops.Grid((2, 2))}),
    (ops.Asymptote, {"coefficient": 1.0, "power": 1.0, "rate": 0.0, "remainder": 1.0}),
    (ops.eigenbasis, {"domain": GRID.domain}),
    (ops.Eigenbasis, {"axes": BASIS.axes}),
    (BASIS.eigenvalues, {"counts": (2, 2), "device": "cpu"}),
    (BASIS.counts, {"wave": 5.0}),
    (BASIS.analysis, {"values": torch.rand(2, 3, 4)}),
    (BASIS.modes, {"points": torch.rand(3, 2), "counts": (2, 2), "numbers": torch.tensor([3])}),
    (BASIS.fold, {"coefficients": torch.rand(4, 4), "shape": (2, 2)}),
    (ops.bessel, {"order": 2.0, "length_scale": 0.5, "dim": 1, "cutoff": 9.0}),
    (ops.bessel, {"order": 2.0, "length_scale": 0.5, "dim": 1}),
    (ops.matern, {"smoothness": 1.5, "length_scale": 0.2, "dim": 2, "std": 1.0, "cutoff": 9.0}),
    (ops.matern, {"smoothness": 1.5, "length_scale": 0.2, "dim": 2}),
    (ops.squared_exponential, {"length_scale": 0.2, "dim": 2, "std": 1.0}),
    (ops.HeatMultiplier, {"width": 0.1}),
    (ops.WienerMultiplier, {"forward": HEAT, "noise_to_signal": 0.1}),
    (ops.SpectralOperator, {"multiplier": HEAT}),
    (lambda width: ops.gaussian_mollifier(width)(F), {"width": 0.1}),
    (ops.truncated_gaussian_mollifier, {"width": 0.1, "dim": 2, "radius": 0.3, "cutoff": 9.0}),
    (ops.wiener_inverse, {"mollifier": T, "noise_to_signal": 0.05}),
    (ops.exact_inverse, {"operator": ops.gaussian_mollifier(0.05), "on": GRID}),
    (lambda f: T(f), {"f": F}),
    (lambda f: ops.Identity()(f), {"f": F}),
    (lambda other: T @ other, {"other": T}),
    (lambda other: T + other, {"other": T}),
    (lambda c: c * T, {"c": 2.0}),
    (ops.Evaluation, {"operator": T, "on": GRID}),
    (ops.Restriction, {"source": GRID, "target": SOME}),
    (ops.CellAverages, {"source": GRID, "target": ops.Grid((2, 2))}),
    (ops.known_points, {"mask": MASK, "on": GRID}),
    (ops.point_values, {"points": SENSORS, "on": GRID}),
    (ops.cell_averages, {"coarse": ops.Grid((2, 2)), "on": GRID}),
    (lambda f: READ(f), {"f": F}),
    (READ.adjoint, {"y": torch.ones(2, 16, 3)}),
    (lambda other: READ @ other, {"other": T}),
    (ops.Integrals, {"on": GRID, "against": torch.ones(2, 16)}),
    (ops.region_averages, {"regions": MASK.reshape(1, 16), "on": GRID}),
    (ops.fourier_samples, {"waves": torch.ones(2, 2), "on": GRID}),
    (ops.KernelSmoother, {"source": SENSORS, "target": GRID, "width": 0.3}),
    (ops.Interpolation, {"source": GRID, "target": SENSORS}),
    (ops.NearestNeighbours, {"source": SENSORS, "target": GRID, "k": 3}),
    (ops.interpolate, {"f": F, "on": SENSORS, "method": "linear"}),
    (lambda f: THERE(f), {"f": F}),
    (THERE.apply_values, {"values": F.values}),
    (ops.neighbours, {"on": GRID, "size": 3, "cell": 0.25, "device": "cpu", "backend": "dense"}),
    (ops.neighbours, {"on": [SOME, SOME], "size": 3, "cell": (0.25, 0.25), "backend": "torch"}),
    (ops.local_operator, {"values": F.values, "weight": TABLE, "neighbours": NEAR}),
    (ops.LocalOperator, {"weight": TABLE, "cell": 0.25, "mixing": False}),
    (
        reference,
        {
            "values": torch.ones(5, 2),
            "weight": torch.ones(2, 3, 3),
            "points": SENSORS.points,
            "weights": SENSORS.weights,
            "cell": 0.25,
        },
    ),
    (window_reach, {"grid": GRID, "size": 3, "cell": 0.25}),
    (automatic_backend, {"on": SOME, "device": torch.device("cpu"), "size": 3, "cell": 0.25}),
]
"""What is called, and right arguments of it."""


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_one_wrong_argument_is_refused_in_words(number: int) -> None:
    call, right = CALLS[number]
    assert said_of(call, right) is None
    for name in right:
        for value in STRANGE:
            said_of(call, {**right, name: value})


@given(st.data())
def test_several_wrong_arguments_are_refused_in_words(data: st.DataObject) -> None:
    call, right = data.draw(st.sampled_from(CALLS))
    some = data.draw(st.dictionaries(st.sampled_from(sorted(right)), st.sampled_from(STRANGE)))
    said_of(call, {**right, **some})


@given(value=st.floats() | st.integers() | st.text() | st.complex_numbers())
def test_a_width_is_a_finite_length_or_refused(value: Any) -> None:
    if said_of(ops.gaussian_mollifier, {"width": value}) is None:
        width = ops.gaussian_mollifier(value).multiplier.width
        assert type(width) is float
        assert 1e-12 <= width <= 1e12
        assert bool(ops.gaussian_mollifier(value)(F).values.isfinite().all())


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ops.Grid("ab"), TypeError, r"A grid's shape must be .*; got 'ab', a str"),
        (lambda: ops.Grid((10**400,)), ValueError, "cells must be .*; got an integer of 401 dig"),
        (lambda: ops.Grid((2,), "unit"), TypeError, r"domain must be a Box or a Point; got 'unit'"),
        (lambda: ops.Box((1e-13,)), ValueError, "Choose a unit nearer to the lengths"),
        (lambda: ops.Function(GRID, np.ones((16, 1))), TypeError, r"got ndarray \(16, 1\)"),
        (
            lambda: ops.KernelSmoother(F, GRID, 0.1),
            TypeError,
            "source of a KernelSmoother .* got Function",
        ),
        (lambda: T @ F, TypeError, "must be a LinearOperator; got Function"),
        (lambda: ops.SpectralOperator(ops.HeatMultiplier), TypeError, "got the class HeatMult"),
        (lambda: np.ones(2) * T, TypeError, "multiplied by a number .* got ndarray"),
    ],
)
def test_the_words_name_what_was_got(call: Callable[[], Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_a_cell_far_wider_than_the_domain_takes_no_time() -> None:
    near = ops.neighbours(GRID, size=3, cell=2.5e8)
    image = ops.local_operator(F.values, TABLE, near)
    one = F.values.mean(1, keepdim=True).expand_as(F.values)
    torch.testing.assert_close(image, one, rtol=1e-6, atol=0.0)
