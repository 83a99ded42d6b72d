"""``accelerate launch -m inftydiff.cli train`` with two processes is the run of one; it resumes."""

import json
import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from training_runs import pictures
from training_script import TWO, curve

from inftydiff.pipelines import load_pipeline

SETTINGS = {
    "--preset": "tiny",
    "--held-out": "4",
    "--minutes": "None",
    "--warmup": "1",
    "--log-every": "1",
    "--validate-every": "4",
    "--precision": "float32",
}


def launched(*words: str) -> subprocess.CompletedProcess:
    """The command line, done."""
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.slow
@pytest.mark.parametrize("latent", ["None", "4"])
def test_the_loss_curve_is_the_same(tmp_path, latent):
    np.save(tmp_path / "data.npy", pictures().pixels.numpy())
    shared = ["-m", "inftydiff.cli", "train", str(tmp_path / "data.npy")]
    shared += [*chain(*SETTINGS.items()), "--latent", latent]
    for launcher, out, batch, steps, more in (
        ((), "one", "4", "8", ()),
        (TWO, "two", "2", "5", ()),
        (TWO, "two", "2", "8", ("--resume",)),
    ):
        words = ["--out", str(tmp_path / out), "--batch-size", batch, "--max-steps", steps]
        done = launched(*launcher, *shared, *words, *more)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Sample from it with") == 1  # one process speaks
    curves = [curve(tmp_path / out) for out in ("one", "two")]
    assert [line["step"] for line in curves[1]] == list(range(1, 9))
    for a, b in zip(*curves, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-5, abs=1e-5)
    logs = [(tmp_path / out / "log.jsonl").read_text().splitlines() for out in ("one", "two")]
    held_out = [[json.loads(line)["held_out"] for line in log] for log in logs]
    assert held_out[1][-1] == pytest.approx(held_out[0][-1], rel=1e-5)
    weights = [load_pipeline(tmp_path / out).state_dict().values() for out in ("one", "two")]
    assert max(float((a - b).abs().max()) for a, b in zip(*weights, strict=True)) < 1e-5


@pytest.mark.slow
def test_an_error_of_one_ends_both(tmp_path):
    words = ["-m", "inftydiff.cli", "train", str(tmp_path / "nothing"), "--out", str(tmp_path)]
    done = launched(*TWO, *words)
    assert done.returncode != 0
    assert "neither 'faces', nor a folder" in done.stderr
