"""``inftydiff info`` tells the parameters of each preset, and the memory they take."""

import time

import torch

from inftydiff.cli.info import preset_lines
from inftydiff.cli.main import main
from inftydiff.pipelines import PRESETS, InftyDiff, preset


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
        _, first, second, weights, unit, training, _ = row(lines, name)
        assert int(first.replace(",", "")) == every - prior
        assert int(second.replace(",", "")) == prior
        scale = {"MB": 1e6, "GB": 1e9}[unit]
        assert abs(float(weights) * scale - 4 * every) < 0.01 * scale
        assert float(training) > 0.0


def test_the_paper_s_model_takes_ten_gigabytes_to_train():
    _, first, *_, training, unit = row(list(preset_lines()), "infty_diff_256")
    assert unit == "GB"
    assert abs(float(training) * 1e9 / int(first.replace(",", "")) - 20.0) < 0.1
