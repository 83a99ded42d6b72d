"""The sums over pairs that Triton compiles, and their gradients, are those of dense matrices.

On a machine without a CUDA device the kernels are run by Triton's interpreter.
"""

import importlib
import os

import pytest
import torch
from torch.testing import assert_close

from inftydiff.operators.local._pair_list import PairList

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is imported
pytest.importorskip("triton")
kernels = importlib.import_module("inftydiff.operators.local._triton_kernels")


def lattice(generator, rows, dim, side):
    """Which of some of a lattice's points see which through which of the 3^dim taps: 0 or 1."""
    points = torch.randperm(side**dim, generator=generator)[:rows].sort().values
    axes = torch.stack(torch.unravel_index(points, (side,) * dim), -1)
    steps = torch.cartesian_prod(*[torch.arange(-1, 2)] * dim).view(-1, dim)
    offsets = axes.unsqueeze(1) - axes
    return (offsets == steps[:, None, None]).all(-1).double()


def weighted(generator, seen):
    """The same relation with coefficients that are symmetric under mirrored taps."""
    coefficients = torch.rand(seen.shape, generator=generator, dtype=torch.float64) + 0.5
    return seen * (coefficients + coefficients.flip(0).mT)


def pair_list(matrices, ones):
    """The entries of the matrices of shape ``(taps, rows, rows)`` that are not zero."""
    row, column, tap = matrices.permute(1, 2, 0).nonzero(as_tuple=True)
    counts = torch.bincount(row, minlength=matrices.shape[1])
    pointer = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return PairList(
        pointer.int().to(DEVICE),
        column.int().to(DEVICE),
        tap.int().to(DEVICE),
        None if ones else matrices[tap, row, column].to(DEVICE),
        len(matrices),
    )


def drawn(generator, *shape, dtype=torch.float64):
    return torch.randn(shape, generator=generator, dtype=dtype).to(DEVICE)


def dense(matrices, values, taps, scale, grad):
    """The sum as a product with matrices, in float64, and its gradients by autograd."""
    values, taps = (x.double().requires_grad_() for x in (values, taps))
    image = torch.einsum("kij,kc,bjc->bic", matrices.to(DEVICE), taps, values)
    if scale is not None:
        image = image * scale.double().unsqueeze(-1)
    return image.detach(), *torch.autograd.grad(image, (values, taps), grad.double())


def check(matrices, ones, copies, channels, scaled, generator, dtype=torch.float64):
    taps_, rows, _ = matrices.shape
    values, grad = (drawn(generator, copies, rows, channels, dtype=dtype) for _ in range(2))
    taps = drawn(generator, taps_, channels, dtype=dtype)
    scale = drawn(generator, rows, dtype=dtype) if scaled else None
    pairs = pair_list(matrices, ones)
    image = kernels.pair_sum(values, taps, pairs, scale)
    d_values, d_taps = kernels.pair_sum_gradients(grad, values, taps, pairs, scale)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    expected = dense(matrices, values, taps, scale, grad)
    for result, truth, like in zip(
        (image, d_values, d_taps), expected, (values, values, taps), strict=True
    ):
        assert result.dtype == dtype
        assert result.shape == like.shape
        assert result.is_contiguous()
        size = truth.abs().max() if truth.numel() else 1.0
        assert_close(result.double(), truth, rtol=0, atol=tolerance * float(max(size, 1.0)))


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("channels", [1, 3, 16, 48, 64, 65, 257])
def test_any_number_of_channels(channels, dtype, generator):
    matrices = weighted(generator, lattice(generator, 35, 2, 8))
    check(matrices, False, 2, channels, True, generator, dtype)


@pytest.mark.parametrize("scaled", [True, False], ids=["scaled", "unscaled"])
@pytest.mark.parametrize("ones", [True, False], ids=["ones", "coefficients"])
@pytest.mark.parametrize(("dim", "side"), [(1, 60), (2, 7), (3, 4)])
def test_any_dimension_with_and_without_factors(dim, side, ones, scaled, generator):
    seen = lattice(generator, 40, dim, side)
    check(seen if ones else weighted(generator, seen), ones, 1, 2, scaled, generator)


def test_pairs_with_several_taps(generator):
    part = torch.rand(5, 33, 33, generator=generator) < 0.1
    check(weighted(generator, part | part.flip(0).mT), False, 2, 3, True, generator)


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("ones", [True, False], ids=["ones", "coefficients"])
def test_one_row(copies, ones, generator):
    seen = lattice(generator, 1, 2, 3)
    check(seen if ones else weighted(generator, seen), ones, copies, 5, True, generator)


def test_empty_rows(generator):
    matrices = lattice(generator, 36, 2, 6)
    empty = torch.rand(36, generator=generator) < 0.5
    matrices[:, empty] = 0
    matrices[:, :, empty] = 0
    check(matrices, True, 2, 65, True, generator)


@pytest.mark.parametrize("ones", [True, False], ids=["ones", "coefficients"])
def test_no_entries(ones, generator):
    check(torch.zeros(9, 20, 20, dtype=torch.float64), ones, 2, 3, True, generator)


@pytest.mark.parametrize(("rows", "copies"), [(20, 0), (0, 2)], ids=["no copies", "no rows"])
def test_nothing_to_add_up(rows, copies, generator):
    check(lattice(generator, rows, 2, 6), True, copies, 3, True, generator)


def test_memory_that_is_not_contiguous(generator):
    pairs = pair_list(lattice(generator, 30, 2, 6), True)
    values, grad = (drawn(generator, 30, 2, 6).transpose(0, 1)[..., ::2] for _ in range(2))
    taps, scale = drawn(generator, 3, 9).T, drawn(generator, 60)[::2]
    image = kernels.pair_sum(values, taps, pairs, scale)
    gradients = kernels.pair_sum_gradients(grad, values, taps, pairs, scale)
    values, grad, taps, scale = (x.clone().contiguous() for x in (values, grad, taps, scale))
    assert torch.equal(image, kernels.pair_sum(values, taps, pairs, scale))
    for result, again in zip(
        gradients, kernels.pair_sum_gradients(grad, values, taps, pairs, scale), strict=True
    ):
        assert result.is_contiguous()
        assert torch.equal(result, again)


def test_every_run_gives_the_same_bits(generator):
    pairs = pair_list(weighted(generator, lattice(generator, 40, 2, 7)), False)
    values, grad = (drawn(generator, 2, 40, 70, dtype=torch.float32) for _ in range(2))
    taps, scale = (drawn(generator, *s, dtype=torch.float32) for s in ((9, 70), (40,)))
    first, second = (
        (
            kernels.pair_sum(values, taps, pairs, scale),
            *kernels.pair_sum_gradients(grad, values, taps, pairs, scale),
        )
        for _ in range(2)
    )
    assert all(map(torch.equal, first, second))
