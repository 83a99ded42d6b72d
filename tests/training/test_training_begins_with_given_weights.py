"""A run begins with the weights of another model where they fit, and names the rest."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from networks import randomised
from torch import nn
from training_runs import SETTINGS, held_out, model, pictures

from inftydiff.cli import main
from inftydiff.models import NetworkConfig
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.training import take_weights, train

LEARNING_NOTHING = dataclasses.replace(SETTINGS, max_steps=1, learning_rate=1e-12, warmup=0)


def given(**changes) -> InftyDiff:
    """A model with random weights, in single precision."""
    return randomised(InftyDiff(model(**changes)), seed=3).float()


def test_what_fits_is_taken_and_the_rest_is_named():
    mine, source = InftyDiff(model(channels=1)), given(latent=4)
    before = {name: value.clone() for name, value in mine.state_dict().items()}
    found = take_weights(mine, source)
    theirs = source.state_dict()
    for name, value in mine.state_dict().items():
        fits = name in theirs and theirs[name].shape == value.shape
        assert torch.equal(value, theirs[name] if fits else before[name])
        assert (name in found.taken) is fits
        assert (name in found.other) is (name in theirs and not fits)
        assert (name in found.new) is (name not in theirs)
    assert set(found.unused) == theirs.keys() - before.keys()
    assert "network.projection.weight" in found.other
    assert any(name.startswith("encoder.") for name in found.unused)
    said = str(found)
    assert f"{len(found.taken)} weights are taken." in said
    assert "of another shape begin anew: network" in said
    assert "and " in said.splitlines()[-1]


def test_a_run_begins_with_them(tmp_path):
    source = given()
    trained = train(
        model(), pictures(), held_out(), LEARNING_NOTHING, tmp_path, start=source, progress=False
    )
    for a, b in zip(trained.parameters(), source.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@dataclasses.dataclass(frozen=True)
class Lone(NetworkConfig):
    """A network that has nothing of others."""

    def build(self, channels, domain, *, latent=None):
        return nn.Linear(2, 2)


def test_a_model_of_which_nothing_fits_is_refused():
    with pytest.raises(ValueError, match="None of the 2 weights fits: the networks are Linear"):
        take_weights(InftyDiff(model()), InftyDiff(model(network=Lone())))


def test_the_command_says_what_was_taken_and_resumes_without_it(tmp_path, capsys):
    source, run = tmp_path / "source", tmp_path / "run"
    given().save_pretrained(source)
    np.save(tmp_path / "data.npy", pictures().pixels[:, :1].numpy())
    words = ["train", str(tmp_path / "data.npy"), "--preset", "tiny", "--batch-size", "4"]
    words += ["--minutes", "None", "--from", str(source), "--out", str(run)]
    assert main([*words, "--max-steps", "1"]) == 0
    said = capsys.readouterr().out
    assert "weights are taken." in said
    assert "network.gathering.lifting.weight" in said
    assert load_pipeline(run).config.channels == 1
    shutil.rmtree(source)
    assert main([*words, "--max-steps", "2", "--resume"]) == 0
    assert "weights are taken" not in capsys.readouterr().out
    assert main([*words, "--max-steps", "1", "--out", str(tmp_path / "other")]) == 2
