"""What the code that wrote version 1 has saved loads, samples the same, and resumes."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from version_1 import VERSION_1, pictures

from inftydiff import DDPM, CosineSchedule, Function
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.training import TrainConfig, train

ANSWERS = load_file(VERSION_1 / "answers.safetensors")
SIZES = [tuple(name.split(".")) for name in ANSWERS if name.split(".")[1].isdigit()]
TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}

FIRST_STEP = torch.finfo(torch.float32).eps / float(CosineSchedule().alpha(torch.ones(1)))
"""What rounding does to the first estimate of a model that predicts the noise, at a few points.

The signal is (x − σ noise)/α there, and α(1) = 5e-5. The clip hides it but for values within the
bounds, so the answers in single precision are no better than this: 2.4e-3.
"""


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def drawn(model, cells, **how):
    return model.sample(on=model.grid(cells), batch=2, generator=seeded(1), **how).values


def first_two():
    waves = pictures(2, 3)
    return Function.from_image(torch.stack([waves[0], waves[1]]))


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "cells"), SIZES)
def test_samples_are_the_same(name, cells):
    model = InftyDiff.from_pretrained(VERSION_1 / name)
    torch.testing.assert_close(drawn(model, int(cells)), ANSWERS[f"{name}.{cells}"], **TOLERANCE)


def test_a_random_solver_draws_the_same():
    model = InftyDiff.from_pretrained(VERSION_1 / "plain")
    x = drawn(model, 16, solver=DDPM())
    torch.testing.assert_close(x, ANSWERS["plain.ddpm"], **TOLERANCE)


def test_the_loss_is_the_same():
    model = InftyDiff.from_pretrained(VERSION_1 / "plain")
    with torch.no_grad():
        loss = model.loss(first_two(), torch.tensor([0.3, 0.8]), generator=seeded(2))
    torch.testing.assert_close(loss, ANSWERS["plain.loss"], **TOLERANCE)


def test_latents_are_read_and_drawn_the_same():
    model = InftyDiff.from_pretrained(VERSION_1 / "latent")
    torch.testing.assert_close(model.encode(first_two()), ANSWERS["latent.codes"], **TOLERANCE)
    given = torch.randn(32, 4, generator=seeded(3))[:2]
    for name, how in (
        ("given", {"latent": given}),
        ("drawn", {}),
        ("conditioned", {"condition": torch.eye(2), "guidance": 2.0}),
    ):
        x, answer = drawn(model, 16, **how), ANSWERS[f"latent.{name}"]
        assert (x - answer).norm() < 1e-4 * answer.norm()
        torch.testing.assert_close(x, answer, rtol=0.0, atol=FIRST_STEP)


def test_a_run_goes_on_to_where_it_would_have_come(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(VERSION_1 / "run", run)
    settings = TrainConfig(
        max_steps=8,
        batch_size=4,
        learning_rate=1e-2,
        warmup=0,
        precision="float32",
        checkpoint_steps=4,
        validate_every=4,
        validation_images=4,
        log_every=1,
    )
    config = load_pipeline(run).config
    data, held_out = pictures(16, 3), pictures(4, 3)
    model = train(config, data, held_out, settings, run, resume=True, progress=False)
    torch.testing.assert_close(drawn(model, 16), ANSWERS["plain.16"], rtol=1e-3, atol=1e-3)
    notes = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [note["step"] for note in notes] == [4, 8]


@pytest.mark.thorough
def test_what_is_loaded_is_saved_and_loaded_again(tmp_path):
    for name in ("plain", "white", "noise_only", "latent"):
        model = InftyDiff.from_pretrained(VERSION_1 / name)
        again = InftyDiff.from_pretrained(model.save_pretrained(tmp_path / name))
        assert again.config == model.config
        torch.testing.assert_close(drawn(again, 16), drawn(model, 16), rtol=0, atol=0)
