"""The command that a stopped demo prints goes on with the same model under the same settings."""

import dataclasses
import shlex
from itertools import chain

import pytest
from test_cli_demo_writes_two_pictures import SMALL

from inftydiff.cli import main
from inftydiff.cli.demo import CHECKPOINT, TrainingDemo
from inftydiff.pipelines.checkpoints import latest
from inftydiff.training.checkpoint import read_settings


@pytest.mark.thorough
def test_one_more_step(tmp_path):
    out = tmp_path / "demo"
    words = ["--rows", "1", "--sizes", "8", "--seed", "3"]
    assert main(["demo", "--train", "--out", str(out), *chain(*SMALL.items()), *words]) == 0
    model, settings, progress = read_settings(latest(out / "checkpoint"))
    demo = TrainingDemo(
        style="toon-head",
        seed=3,
        images=32,
        resolution=16,
        preset="tiny",
        batch_size=8,
        steps=2,
        minutes=0.02,
    )
    program, *again = shlex.split(demo.continuation(out / CHECKPOINT))
    assert program == "inftydiff"
    until = progress.step + 1
    assert main([*again, "--minutes", "None", "--max-steps", str(until)]) == 0
    model_after, settings_after, progress_after = read_settings(latest(out / "checkpoint"))
    assert progress_after.step == until
    assert model_after == model
    assert settings_after == dataclasses.replace(settings, minutes=None, max_steps=until)
