"""A run that is killed at random moments, and resumed, ends as the one that was not."""

import random
import time

import pytest
import torch
from safetensors.torch import load_file
from training_script import launched, started

from inftydiff.pipelines import load_pipeline
from inftydiff.pipelines.checkpoints import latest, steps_in

SETTINGS = {
    "latent": 4,
    "precision": "fp16",
    "workers": 1,
    "gradient_accumulation": 2,
    "horizontal_flip": True,
    "max_steps": 60,
    "checkpoint_steps": 3,
    "validate_every": 5,
    "patience": 50,
    "log_every": 1,
    "keep": 2,
}
KILLS = 3


def noted(folder):
    """The steps that a run has noted."""
    file = folder / "steps.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_weights_are_the_same_bit_for_bit(tmp_path, seed):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = launched({"out": str(whole), **SETTINGS})
    assert done.returncode == 0, done.stderr

    moments, after = random.Random(seed), []
    for step in sorted(moments.sample(range(1, 50), KILLS)):
        process = started({"out": str(parts), "resume": bool(steps_in(parts)), **SETTINGS})
        while process.poll() is None and noted(parts) < step:
            time.sleep(0.002)
        time.sleep(moments.uniform(0.0, 0.03))
        process.kill()
        _, said = process.communicate()
        assert process.returncode == -9, said
        after.append((noted(parts), latest(parts).name if steps_in(parts) else None))
    done = launched({"out": str(parts), "resume": bool(steps_in(parts)), **SETTINGS})
    assert done.returncode == 0, done.stderr
    print("killed after step", *after)

    assert latest(whole).name == latest(parts).name == "step-00000060"
    for name in ("model.safetensors", "training.safetensors"):
        a, b = (load_file(latest(folder) / name) for folder in (whole, parts))
        assert a.keys() == b.keys()
        assert "scaler.scale" in a or name.startswith("model")
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert noted(whole) == noted(parts) == 60
    logs = [(folder / "log.jsonl").read_text().count("\n") for folder in (whole, parts)]
    assert logs[0] == logs[1]
    assert [f.name for f in steps_in(whole)] == [f.name for f in steps_in(parts)]
    load_pipeline(parts)
