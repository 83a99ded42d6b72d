"""Where autograd keeps nothing, a network works on some points at a time, with the same answer."""

import pytest
import torch
from networks import functions, grid_16, network, randomised, subset_of, times
from torch.func import jvp, vmap
from torch.testing import assert_close

from inftydiff.models import local
from inftydiff.models.local import LocalBlock, pointwise
from inftydiff.operators.local import neighbours


@pytest.mark.parametrize("on", [grid_16, subset_of(grid_16, 50)])
@pytest.mark.parametrize("piece", [1, 900])
def test_the_answer_is_that_of_the_whole(on, piece, monkeypatch):
    model, x, t = network(), functions(on), times()
    expected = model(x, t).values.detach()
    monkeypatch.setattr(local, "_PIECE", piece)
    with torch.no_grad():
        assert_close(model(x, t).values, expected, rtol=1e-12, atol=1e-12)
    with torch.inference_mode():
        assert_close(model(x, t).values, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_tangents_and_mapped_axes_go_through_a_block(monkeypatch):
    block, near = randomised(LocalBlock(8, None, size=3)), neighbours(grid_16, size=3, cell=1 / 16)
    x, along = (functions(grid_16, seed, channels=8).values for seed in range(2))

    def call(values):
        return block(values, None, near)

    expected = jvp(call, (x,), (along,))
    mapped = torch.stack([call(x), call(along)]).detach()
    monkeypatch.setattr(local, "_PIECE", 900)
    with torch.no_grad():
        assert_close(jvp(call, (x,), (along,)), expected, rtol=1e-12, atol=1e-12)
        assert_close(vmap(call)(torch.stack([x, along])), mapped, rtol=1e-12, atol=1e-12)


def test_few_points_are_asked_at_once(monkeypatch):
    seen = []

    def twice(x):
        seen.append(tuple(x.shape))
        return 2 * x

    monkeypatch.setattr(local, "_PIECE", 40)
    x = torch.arange(70.0).reshape(2, 7, 5)
    with torch.no_grad():
        assert pointwise(twice, x).equal(2 * x)
    assert seen == [(2, 4, 5), (2, 3, 5)]
    seen.clear()
    assert pointwise(twice, x).equal(2 * x)
    assert seen == [(2, 7, 5)]
