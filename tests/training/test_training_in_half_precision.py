"""With fp16 the loss is scaled; a scale that is too large is halved, and is part of the state."""

import json

import pytest
import torch
from safetensors.torch import load_file
from training_runs import held_out, run, same

from inftydiff.training import held_out_loss, read_progress
from inftydiff.training._update import compute_dtype, loss_scaler


def state(folder):
    tensors = load_file(folder / "training.safetensors")
    return float(tensors["scaler.scale"]), int(tensors["scaler._growth_tracker"])


@pytest.mark.thorough
@pytest.mark.parametrize("latent", [None, 4])
def test_it_is_close_to_float32(tmp_path, latent):
    half = run(tmp_path / "half", precision="fp16", warmup=1, latent=latent)
    full = run(tmp_path / "full", warmup=1, latent=latent)
    assert half.compute_dtype == torch.float16
    assert all(w.dtype == torch.float32 for w in half.parameters())
    losses = [held_out_loss(pipeline, held_out()) for pipeline in (half, full)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert state(tmp_path / "half" / "step-00000006") == (2.0**16, 6)


def large(*_):
    return torch.amp.GradScaler("cpu", init_scale=2.0**60, growth_interval=2)


@pytest.mark.thorough
def test_a_scale_that_is_too_large_is_halved_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("inftydiff.training._run.loss_scaler", large)
    settings = {"precision": "fp16", "max_steps": 60, "max_skipped": 2, "validate_every": 100}
    whole = run(tmp_path / "whole", **settings)
    done = read_progress(tmp_path / "whole")
    assert 20 < done.skipped < 60  # and none of them counts as a fault
    assert done.in_a_row == 0
    assert done.updates == 60 - done.skipped
    scale, tracker = state(tmp_path / "whole" / "step-00000060")
    assert scale < 2.0**40
    lines = (tmp_path / "whole" / "log.jsonl").read_text().splitlines()
    reasons = [json.loads(line)["skipped"] for line in lines[:-1]]
    assert len(reasons) == done.skipped
    assert all("too large for half precision" in reason for reason in reasons)

    run(tmp_path / "parts", **(settings | {"max_steps": 7}))
    assert state(tmp_path / "parts" / "step-00000007") == (2.0**53, 0)
    parts = run(tmp_path / "parts", resume=True, **settings)
    assert state(tmp_path / "parts" / "step-00000060") == (scale, tracker)
    assert same(whole, parts)


def test_precisions_by_name():
    assert compute_dtype("float32", "cpu") is None
    assert compute_dtype("bf16", "cpu") == torch.bfloat16
    assert compute_dtype("fp16", "cuda") == torch.float16
    assert loss_scaler("bf16", "cpu") is None
    assert loss_scaler("fp16", "cpu").is_enabled()
