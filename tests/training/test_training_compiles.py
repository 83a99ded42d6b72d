"""``compile`` trains the same model, and says what is missing where nothing can be compiled."""

import dataclasses
import shutil

import pytest
import torch
from training_runs import SETTINGS, model, pictures
from training_script import launched

from inftydiff.pipelines import load_pipeline
from inftydiff.training import train


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_is_the_same_but_for_rounding(tmp_path):
    weights = []
    for compiled in (False, True):
        out = str(tmp_path / str(compiled))
        settings = {"latent": 4, "max_steps": 3, "gradient_checkpointing": compiled, "log_every": 1}
        done = launched({"out": out, "compile": compiled, **settings}, limit=900.0)
        assert done.returncode == 0, done.stderr
        weights.append(load_pipeline(out).state_dict())
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        assert float((value - weights[1][name]).abs().max()) < 1e-5, name


def test_without_a_compiler_nothing_is_begun(tmp_path, monkeypatch):
    def broken(function):
        def call(*args):
            raise RuntimeError("No C++ compiler is here.\nMore lines.")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    config = dataclasses.replace(SETTINGS, compile=True)
    with pytest.raises(ValueError, match="needs a compiler.*it says: No C.. compiler is here."):
        train(model(), pictures(), None, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
