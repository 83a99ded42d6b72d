"""Mapped by ``torch.func``, the local operator and its gradients are those of one after another."""

from dataclasses import replace

import pytest
import torch
from functions import values
from local_operators import Case, every_backend
from torch.func import vmap
from torch.testing import assert_close

from inftydiff.operators.local import local_operator, operator

CASES = [
    Case((6,), (1,), 3, 2, (2,), 4, None, 0),
    Case((6,), (1,), 3, 2, (2,), 4, 2, 1, 3),
]
mapped = pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, 2)])


@every_backend
@mapped
@pytest.mark.parametrize("case", CASES, ids=["depthwise", "mixing"])
def test_values(case, axes, backend):
    near = case.map_by(backend)
    v, weight = arguments(case, axes, near.mass.device)
    image = vmap(lambda v, w: local_operator(v, w, near), axes)(v, weight)
    for i in range(3):
        alone = local_operator(at(v, axes[0], i), at(weight, axes[1], i), near)
        assert_close(image[i], alone, rtol=0, atol=1e-13)


@every_backend
@mapped
@pytest.mark.parametrize("copies", [0, 2])
@pytest.mark.parametrize("case", CASES, ids=["depthwise", "mixing"])
def test_values_without_gradients(case, copies, axes, backend, monkeypatch):
    monkeypatch.setattr(operator, "_PIECE", 1)
    case = replace(case, batch=(copies, *case.batch), channels=18)
    near = case.map_by(backend)
    v, weight = arguments(case, axes, near.mass.device)
    with torch.no_grad():
        image = vmap(lambda v, w: local_operator(v, w, near), axes)(v, weight)
    assert_close(image, vmap(lambda v, w: local_operator(v, w, near), axes)(v, weight))


@every_backend
@mapped
@pytest.mark.parametrize("case", CASES, ids=["depthwise", "mixing"])
def test_gradients(case, axes, backend):
    near = case.map_by(backend)
    inputs = [x.requires_grad_() for x in arguments(case, axes, near.mass.device)]
    together = vmap(lambda v, w: local_operator(v, w, near), axes)(*inputs)
    each = [[at(x, a, i) for x, a in zip(inputs, axes, strict=True)] for i in range(3)]
    alone = torch.stack([local_operator(v, w, near) for v, w in each])
    gradients = [torch.autograd.grad(f.pow(3).sum(), inputs) for f in (together, alone)]
    assert_close(*gradients, rtol=0, atol=1e-11)


def arguments(case: Case, axes: tuple[int | None, ...], device: torch.device) -> list[torch.Tensor]:
    several = []
    for seed, (like, axis) in enumerate(zip((case.values, case.weight), axes, strict=True)):
        x = values(seed, *([] if axis is None else [3]), *like.shape)
        several.append((x if axis is None else x.movedim(0, axis)).to(device))
    return several


def at(x: torch.Tensor, axis: int | None, i: int) -> torch.Tensor:
    return x if axis is None else x.select(axis, i)
