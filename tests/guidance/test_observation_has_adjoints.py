"""Functionals are the sums that they stand for, and have adjoints between L² and vectors."""

import math

import pytest
import torch
from functions import boundaries, function, grid, scattered, seeds, subset, values
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import Function, Grid, Scattered, gaussian_mollifier
from inftydiff.operators import (
    CellAverages,
    Evaluation,
    Functionals,
    Integrals,
    Restriction,
    cell_averages,
    coarsen,
    fourier_samples,
    known_points,
    point_values,
    refine,
    region_averages,
)
from inftydiff.testing import matrix_of
from inftydiff.testing.posterior import functionals_matrix

KINDS = ("mask", "points", "subset", "cells", "blur", "blurred points", "fourier", "regions")


def made(kind: str, on: Grid, seed: int) -> Functionals:
    generator = torch.Generator().manual_seed(seed)
    blur = gaussian_mollifier(0.2)
    some = torch.rand(on.size, generator=generator) < 0.5
    some[0] = True
    match kind:
        case "mask":
            return known_points(some, on=on)
        case "points":
            return point_values(scattered(on.domain, 5, seed), on=on)
        case "subset":
            return point_values(subset(on, (on.size + 1) // 2, seed), on=on)
        case "cells":
            return cell_averages(on, on=refine(on, 2))
        case "blur":
            return Evaluation(blur, on)
        case "blurred points":
            return point_values(scattered(on.domain, 5, seed), on=on) @ blur
        case "fourier":
            waves = torch.tensor([[0, 0], [1, 0], [2, -1]])[:, : on.dim]
            return fourier_samples(waves.double(), on=on)
        case _:
            return region_averages(torch.stack([some, ~some | some]), on=on)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, shape=st.lists(st.integers(2, 5), min_size=1, max_size=2), sides=boundaries)
def test_the_adjoint_is_that_of_the_two_inner_products(kind, seed, shape, sides):
    reads = made(kind, grid(*shape, boundary=sides), seed)
    f, y = function(reads.on, seed, 3), values(seed + 1, 3, reads.size, 2)
    there = (reads(f) * y).sum((-2, -1))
    torch.testing.assert_close(there, f.inner(reads.adjoint(y)), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds)
def test_they_are_a_matrix_and_its_transpose_over_the_weights(kind, seed):
    reads = made(kind, grid(4, 3), seed)
    matrix = functionals_matrix(reads)
    f, y = function(reads.on, seed), values(seed + 1, reads.size, 2)
    torch.testing.assert_close(reads(f), matrix @ f.values)
    back = matrix.mT @ y / reads.on.weights.unsqueeze(-1)
    torch.testing.assert_close(reads.adjoint(y).values, back)


@given(seed=seeds)
def test_a_mask_takes_the_values(seed):
    on = grid(4, 3)
    mask = torch.rand(4, 3, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[1, 2] = True
    f = function(on, seed, 2)
    assert torch.equal(known_points(mask, on=on)(f), f.values[:, mask.flatten()])
    assert torch.equal(known_points(mask.flatten(), on=on)(f), f.values[:, mask.flatten()])


@given(seed=seeds)
def test_cells_are_coarsened(seed):
    coarse = grid(2, 3)
    f = function(refine(coarse, 3), seed, 2)
    torch.testing.assert_close(
        cell_averages(coarse, on=f.on)(f), coarsen(f, coarse).values, rtol=1e-12, atol=1e-12
    )


def test_points_of_a_grid_that_are_shared_are_its_own():
    fine, coarse = Grid((9,)), Grid((3,))
    f = function(fine, 0)
    found = point_values(coarse, on=fine)(f)
    torch.testing.assert_close(found, f.values[1::3])
    alone = point_values(Scattered(fine.points[[4]]), on=fine)(f)
    torch.testing.assert_close(alone, f.values[[4]])


def test_fourier_samples_are_integrals_of_exponentials():
    on = grid(6, 5)
    waves = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 3.0]], dtype=torch.float64)
    f = function(on, 0, channels=1)
    x = on.points / torch.tensor(on.domain.lengths, dtype=torch.float64)
    transform = torch.exp(-2j * math.pi * (x @ waves.mT))
    expected = (transform * f.values).sum(0) * on.cell_volume
    found = fourier_samples(waves, on=on)(f).squeeze(-1)
    torch.testing.assert_close(found, torch.cat([expected.real, expected.imag[1:]]))


def test_regions_are_averaged():
    on = grid(4)
    halves = torch.tensor([[True, True, False, False], [False, True, True, True]])
    f = function(on, 0, channels=1)
    expected = torch.stack([f.values[:2].mean(0), f.values[1:].mean(0)])
    torch.testing.assert_close(region_averages(halves, on=on)(f), expected)


def test_compositions_are_products_of_matrices():
    on, blur = grid(4, 3), gaussian_mollifier(0.2)
    reads = point_values(subset(on, 5, 0), on=on)
    product = functionals_matrix(reads) @ matrix_of(blur, on)[0]
    torch.testing.assert_close(functionals_matrix(reads @ blur), product)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_keep_the_dtype(kind, dtype):
    reads = made(kind, grid(4, 3), 0)
    f = Function(reads.on, torch.ones(2, reads.on.size, 1, dtype=dtype))
    assert reads(f).dtype == reads.adjoint(reads(f)).values.dtype == dtype


@pytest.mark.parametrize("kind", KINDS)
def test_they_can_be_differentiated(kind):
    reads = made(kind, grid(3, 2), 0)
    v = values(0, reads.on.size, 1).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: reads(Function(reads.on, v)), v)


def test_operators_have_the_adjoints_of_matrices():
    on = grid(4, 3)
    for operator in (Restriction(on, subset(on, 5, 0)), CellAverages(refine(on, 2), on)):
        f, g = function(operator.source, 0, 2), function(operator.target, 1, 2)
        torch.testing.assert_close(operator(f).inner(g), f.inner(operator.adjoint(g)))


def test_the_means_of_a_constant_are_the_constant():
    on = Grid((6, 6))
    one = Function(on, torch.ones(36, 1, dtype=torch.float64))
    for reads in (made("cells", Grid((3, 3)), 0), made("regions", on, 0), made("points", on, 0)):
        found = reads(one if reads.on == on else Function(reads.on, torch.ones(36, 1).double()))
        torch.testing.assert_close(found, torch.ones_like(found))
    mean = Integrals(on, torch.ones(1, 36, dtype=torch.float64))
    assert mean(one).item() == pytest.approx(1.0)
