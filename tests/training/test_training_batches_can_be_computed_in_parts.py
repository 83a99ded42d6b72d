"""Accumulated gradients are those of the whole batch, and are averaged over processes once."""

from contextlib import nullcontext

import pytest
import torch
from accelerate import Accelerator
from torch.testing import assert_close
from training_runs import run

from inftydiff.training._update import parts


@pytest.mark.thorough
@pytest.mark.parametrize("latent", [None, 4])
def test_the_result_is_the_same_but_for_rounding(tmp_path, latent):
    settings = {"latent": latent, "max_steps": 3, "horizontal_flip": True, "clip_norm": 0.1}
    whole = run(tmp_path / "1", **settings)
    for number in (3, 4):  # parts of two sizes, and of one picture
        split = run(tmp_path / str(number), gradient_accumulation=number, **settings)
        for a, b in zip(whole.parameters(), split.parameters(), strict=True):
            assert_close(a, b, rtol=0, atol=2e-6)


def test_all_parts_but_the_last_keep_to_their_process(tmp_path, monkeypatch):
    alone = []
    monkeypatch.setattr(Accelerator, "no_sync", lambda *_: alone.append(1) or nullcontext())
    run(tmp_path, gradient_accumulation=3, max_steps=2)
    assert len(alone) == 2 * 2


@pytest.mark.parametrize(("count", "number"), [(1, 1), (5, 2), (16, 3), (7, 7)])
def test_parts_cover_a_batch_evenly(count, number):
    bounds = list(parts(count, number))
    assert torch.cat([torch.arange(*b) for b in bounds]).tolist() == list(range(count))
    sizes = [b - a for a, b in bounds]
    assert len(sizes) == number
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1
