"""The paper's models are trained with the paper's settings, which every option overrules."""

import dataclasses
import importlib

import pytest
import torch

from inftydiff.cli import main
from inftydiff.models import LatentPriorConfig
from inftydiff.pipelines import PRESETS, preset
from inftydiff.training import TrainConfig, training_preset

PAPER = [name for name in PRESETS if name.startswith("infty_diff")]


class Called(Exception):
    """That a run would begin now."""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What ``inftydiff train`` would train, and how."""
    module = importlib.import_module("inftydiff.cli.train")
    found = []

    def stop(model, data, held_out, config, out, *, start, resume):
        found[:] = [model, config]
        raise Called

    monkeypatch.setattr(module, "train", stop)
    small = ["faces", "--resolution", "16", "--images", "4", "--held-out", "2"]

    def ask(*words):
        with pytest.raises(Called):
            main(["train", *small, *words, "--out", str(tmp_path / "run")])
        return found

    return ask


@pytest.mark.parametrize("name", PAPER)
def test_the_papers_settings(name):
    config = training_preset(name)
    assert (config.learning_rate, config.batch_size) == (5e-5, 32)
    assert (config.weight_decay, config.warmup, config.decay) == (0.0, 0, "constant")
    assert (config.clip_norm, config.ema, config.points) == (1.0, 0.9995, 0.25)
    assert (config.horizontal_flip, config.precision) == (True, "auto")
    assert config.patience is not None
    assert config.minutes is None
    assert [config.rate(step, 0.0) for step in (0, 10**5)] == [5e-5, 5e-5]


@pytest.mark.parametrize("name", [name for name in ("faces", *PRESETS) if name not in PAPER])
def test_the_others_have_the_defaults(name):
    assert training_preset(name) == TrainConfig(minutes=60.0)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="must be one of .*; got 'fases'"):
        training_preset("fases")


def test_without_weight_decay_adamw_is_adam():
    weights = [torch.nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(2)]
    kinds = (torch.optim.Adam, torch.optim.AdamW)
    settings = {"lr": 5e-5, "betas": (0.9, 0.99), "weight_decay": 0.0}
    for weight, kind in zip(weights, kinds, strict=True):
        optimiser = kind([weight], **settings)
        for step in range(5):
            weight.grad = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64) * (step + 1)
            optimiser.step()
    torch.testing.assert_close(*weights, rtol=1e-14, atol=0)


def test_the_command_takes_them(asked):
    model, config = asked("--preset", "infty_diff_64")
    assert config == training_preset("infty_diff_64")
    assert model.prior == preset("infty_diff_64").prior
    _, config = asked(
        "--preset", "infty_diff_64", "--learning-rate", "1e-4", "--no-horizontal-flip"
    )
    wanted = training_preset("infty_diff_64")
    assert config == dataclasses.replace(wanted, learning_rate=1e-4, horizontal_flip=False)


def test_a_paper_preset_can_be_plain(asked):
    model, _ = asked("--preset", "infty_diff_64", "--latent", "None", "--prior.kind", "none")
    assert (model.latent, model.prior, model.kl_weight) == (None, None, None)
    assert model.network.channel_multipliers == preset("infty_diff_64").network.channel_multipliers


def test_the_prior_can_be_set(asked):
    latent = ["--latent", "4"]
    assert asked("--preset", "tiny", *latent)[0].prior is None
    model, _ = asked("--preset", "tiny", *latent, "--prior.width", "8", "--prior.layers", "3")
    assert model.prior == LatentPriorConfig(width=8, layers=3)
    model, _ = asked("--preset", "infty_diff_64", "--prior.layers", "4")
    assert model.prior == LatentPriorConfig(layers=4)


def test_a_prior_without_latents_is_refused(capsys):
    words = ["train", "faces", "--preset", "tiny", "--prior.width", "8"]
    assert main(words) == 2
    assert "Set latent to a number" in capsys.readouterr().err
