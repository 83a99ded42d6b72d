"""Where nothing watches, the kernels are called themselves, and else torch's operator is.

Both ways give the same bits, in derivatives of every order. What watches are compilers, modes and
transforms; and tensors that are more, or less, than their memory.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from functions import values
from local_operators import Case, backends, outcome, taken_by
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from inftydiff.operators.local import _bilinear as bilinear
from inftydiff.operators.local import local_operator

CASES = {
    "a grid": Case((6, 5), (1, 1), 3, 2, (2,), None, None, 0),
    "a refined grid": Case((6, 5), (2, 2), 3, 2, (2,), None, None, 1),
    "subsets": Case((6, 5), (1, 1), 3, 2, (2,), 9, 2, 2),
    "points": Case((6, 5), (1, 1), 3, 2, (2,), 9, None, 3, None, True),
    "mixed channels": Case((6, 5), (1, 1), 3, 2, (2,), 9, None, 4, 3),
}
NAMES = {"inftydiff.pair_sum", "inftydiff.depthwise"}


class Watch(TorchDispatchMode):
    """What is called while it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, function, types, arguments=(), named=None) -> Any:
        self.seen.add(str(function).removesuffix(".default"))
        return function(*arguments, **(named or {}))


@contextmanager
def registered_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(bilinear, "_plain", lambda arguments: False)
        yield


def twice(near: Any, v: Tensor, weight: Tensor) -> list[Tensor]:
    """The image, its gradients, and the gradients of their squares."""
    leaves = [v.clone().requires_grad_(), weight.clone().requires_grad_()]
    image = local_operator(*leaves, near)
    first = torch.autograd.grad(image.pow(3).sum(), leaves, create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), leaves)
    return [image, *first, *second]


@taken_by(
    {
        name: ("torch", "numba")
        if case.anywhere  # which are no lattice to convolve
        else ("dense", "torch", "numba")
        for name, case in CASES.items()
    }
)
def test_both_ways_give_the_same_bits(name, backend, monkeypatch):
    case = CASES[name]
    near = case.map_by(backend)
    found = twice(near, case.values, case.weight)
    with registered_only(monkeypatch):
        expected = twice(near, case.values, case.weight)
    assert all(a.equal(b) for a, b in zip(found, expected, strict=True))


def test_one_gradient_alone_is_that_of_both():
    case = CASES["subsets"]
    leaves = case.values.requires_grad_(), case.weight.requires_grad_()
    image = local_operator(*leaves, case.map)
    both = torch.autograd.grad(image.square().sum(), leaves, retain_graph=True)
    for leaf, expected in zip(leaves, both, strict=True):
        (alone,) = torch.autograd.grad(image.square().sum(), leaf, retain_graph=True)
        assert alone.equal(expected)


def test_a_mode_sees_torch_s_operator():
    case = CASES["subsets"]
    with Watch() as watch:
        image = local_operator(case.values, case.weight, case.map)
    assert watch.seen & NAMES
    assert image.equal(local_operator(case.values, case.weight, case.map))


def test_a_trace_has_torch_s_operator():
    case = CASES["subsets"]
    near = case.map
    graph = make_fx(lambda v, w: local_operator(v, w, near))(case.values, case.weight)
    targets = {str(node.target).removesuffix(".default") for node in graph.graph.nodes}
    assert targets & NAMES


def test_tensors_without_memory():
    case = CASES["subsets"]
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = [mode.from_tensor(x) for x in (case.values, case.weight)]
        assert local_operator(*fake, case.map).shape == case.values.shape


@backends("dense", "torch", "numba")
def test_a_view_that_is_the_negative_of_its_memory(backend):
    case = CASES["subsets"]
    near = case.map_by(backend)
    negative = torch._neg_view(case.values)
    assert negative.is_neg()
    expected = outcome(near, -case.values, case.weight)
    found = outcome(near, negative, case.weight)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


class Marked(Tensor):
    """A tensor of a class of its own."""


def test_a_class_of_tensors_is_kept():
    case = CASES["subsets"]
    marked = case.values.as_subclass(Marked)
    assert isinstance(local_operator(marked, case.weight, case.map), Marked)


@backends("numba")
def test_rows_without_entries_are_zero(backend):
    starts, entries = torch.zeros(4, dtype=torch.int32), torch.zeros(0, dtype=torch.int32)
    lists = [starts, entries, entries]
    v, weight, scale = values(0, 1, 3, 2), values(1, 2, 9), torch.ones(3, dtype=torch.float64)
    arguments = v, weight, scale, lists, 1, backend
    image = torch.ops.inftydiff.pair_sum(*arguments)
    gradients = torch.ops.inftydiff.pair_sum_gradients(v, *arguments, True, True)
    assert not any(x.any() for x in (image, *gradients))


def test_automatic_mixed_precision_changes_nothing():
    def gradients(each: Callable[[], Any]) -> list[Tensor]:
        leaves = [x.float().requires_grad_() for x in (case.values, case.weight)]
        with each():
            image = local_operator(*leaves, near)
            return list(torch.autograd.grad(image.square().sum(), leaves))

    case = CASES["mixed channels"]
    near = case.map
    on = gradients(lambda: torch.autocast("cpu", torch.bfloat16))
    off = gradients(lambda: torch.autocast("cpu", torch.bfloat16, enabled=False))
    assert all(a.equal(b) for a, b in zip(on, off, strict=True))
