"""``inftydiff info`` tells the parameters of each preset, and the memory that it takes."""

import json
import time

import pytest
import torch

from inftydiff.cli.info import ACTIVATIONS, preset_lines
from inftydiff.cli.main import main
from inftydiff.pipelines import PRESETS, InftyDiff, preset
from inftydiff.training import activation_bytes


def row(lines: list[str], name: str) -> list[str]:
    (line,) = [line for line in lines if line.split()[:1] == [name]]
    return line.split()


def test_every_preset_has_a_row(capsys):
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in PRESETS:
        assert row(lines, name)


def test_the_numbers_are_those_of_the_model():
    began = time.process_time()
    lines = list(preset_lines())
    assert time.process_time() - began < 20.0
    for name in ("faces_64", "infty_diff_64"):
        with torch.device("meta"):
            model = InftyDiff(preset(name))
        prior = 0 if model.prior is None else sum(p.numel() for p in model.prior.parameters())
        every = sum(p.numel() for p in model.parameters())
        _, first, second, weights, unit, training, *_ = row(lines, name)
        assert int(first.replace(",", "")) == every - prior
        assert int(second.replace(",", "")) == prior
        scale = {"MB": 1e6, "GB": 1e9}[unit]
        assert abs(float(weights) * scale - 4 * every) < 0.01 * scale
        assert float(training) > 0.0


def test_the_paper_s_model_takes_ten_gigabytes_to_train():
    _, first, _, _, _, training, unit, *_ = row(list(preset_lines()), "infty_diff_256")
    assert unit == "GB"
    assert abs(float(training) * 1e9 / int(first.replace(",", "")) - 20.0) < 0.1


@pytest.mark.parametrize("name", ["tiny", "faces_64"])
def test_the_activations_are_those_of_a_step(name):
    stated = json.loads(ACTIVATIONS.read_text())[name]
    for key, gradient_checkpointing in (("kept", False), ("recomputed", True)):
        found = activation_bytes(
            preset(name), stated["size"], gradient_checkpointing=gradient_checkpointing
        )
        assert abs(found / stated[key] - 1.0) < 0.02


def test_every_preset_s_activations_are_known_and_at_least_halved():
    stated = json.loads(ACTIVATIONS.read_text())
    assert set(stated) == set(PRESETS)
    for name, found in stated.items():
        assert found["size"] == round(1 / preset(name).network.cell)
        assert found["recomputed"] <= found["kept"] / 2


def test_activations_grow_with_the_batch_and_the_points():
    config = preset("tiny")
    one, two = (activation_bytes(config, 64, batch=batch) for batch in (1, 2))
    assert two == pytest.approx(2 * one, rel=0.05)
    few, more, most = (activation_bytes(config, 64, points=p) for p in (0.1, 0.2, 0.3))
    assert most - more == pytest.approx(more - few, rel=0.05)
    with pytest.raises(ValueError, match="points must be a finite number above 0 and at most 1"):
        activation_bytes(config, 64, points=0.0)
