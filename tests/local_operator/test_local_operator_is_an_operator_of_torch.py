"""What the local operator registers with torch keeps the solvers of torch's operators.

These are ``torch.library.opcheck``'s: the schemas tell what is mutated and aliased, the shapes that
are computed without data are right, and autograd and dynamic shapes can be traced. The trace does
not depend on who computes the sums, and takes an interpreter long.
"""

import pytest
import torch
from functions import values
from local_operators import Case, device_of, pair_backends
from torch.library import opcheck

CHECKS = ["test_schema", "test_autograd_registration", "test_faketensor"]
WANTED = [(True, True), (True, False), (False, True)]
CASES = {
    "ones": Case((6,), (1,), 3, 2, (2,), 5, None, 0),
    "coefficients": Case((6,), (1,), 3, 2, (2,), 5, None, 1, None, True),
}


@pytest.mark.thorough
@pair_backends
@pytest.mark.parametrize("name", CASES)
def test_sums_over_pairs(name, backend):
    case = CASES[name]
    pairs = case.map_by(backend).form.pairs
    check_pairs(pairs.lists(backend), pairs.taps, (2,), backend)


def test_sums_over_pairs_that_mix_channels():
    pairs = CASES["ones"].map_by("torch").form.pairs
    check_pairs(pairs.by_tap, pairs.taps, (3, 2), "torch")


def check_pairs(
    lists: list[torch.Tensor], count: int, channels: tuple[int, ...], backend: str
) -> None:
    shapes = [(2, 5, channels[-1]), (*channels, count), (5,), (2, 5, channels[0])]
    tensors = (values(i, *s).to(device_of(backend)) for i, s in enumerate(shapes))
    v, weight, scale, grad = tensors
    v, weight, grad = (x.requires_grad_() for x in (v, weight, grad))
    checks = [*CHECKS, "test_aot_dispatch_dynamic"] if backend != "triton" else CHECKS
    op, gradients = torch.ops.inftydiff.pair_sum, torch.ops.inftydiff.pair_sum_gradients
    opcheck(op.default, (v, weight, scale, lists, 1, backend), test_utils=checks)
    for wanted in WANTED:
        arguments = grad, v, weight, scale, lists, 1, backend, *wanted
        opcheck(gradients.default, arguments, test_utils=checks)


@pytest.mark.thorough
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("window", [(3,), (5, 3), (3, 1, 3)])
def test_convolutions(window, scaled):
    lattice = values(0, 2, *(4, 3, 5)[: len(window)], 2).requires_grad_()
    table, grad = values(1, 2, *window).requires_grad_(), values(2, *lattice.shape).requires_grad_()
    scale = [values(3, *lattice.shape[1:-1])] if scaled else []
    opcheck(torch.ops.inftydiff.depthwise.default, (lattice, table, scale))
    for wanted in WANTED:
        gradients = torch.ops.inftydiff.depthwise_gradients.default
        opcheck(gradients, (grad, lattice, table, scale, *wanted))
