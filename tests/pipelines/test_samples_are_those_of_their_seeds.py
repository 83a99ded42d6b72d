"""The sampling run: a seed is one sample, whatever is drawn with it, and in whatever chunks."""

import dataclasses

import pytest
import torch
from autoencoders import LATENT, autoencoder
from networks import randomised

from inftydiff import DDIM, DDPM, DPMSolverPP, Function, Heun, UniPC
from inftydiff.pipelines import InftyDiff, preset
from inftydiff.processes import EulerMaruyama

SEEDS = [7, 3, 2**40]


def model() -> InftyDiff:
    return randomised(InftyDiff(dataclasses.replace(preset("tiny", resolution=16), steps=3)))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.thorough
@pytest.mark.parametrize("solver", [DDIM(), DDIM(1.0), DDPM(), Heun(), UniPC(), EulerMaruyama()])
@pytest.mark.parametrize("make", [model, autoencoder])
def test_a_sample_is_that_of_its_seed(make, solver):
    pipeline = make()
    together = pipeline.sample(on=pipeline.grid(16), seeds=SEEDS, solver=solver).values
    for number, seed in enumerate(SEEDS):
        alone = pipeline.sample(on=pipeline.grid(16), seeds=[seed], solver=solver).values
        torch.testing.assert_close(together[number], alone[0], rtol=1e-9, atol=1e-9)


@pytest.mark.thorough
def test_chunks_change_nothing():
    pipeline = autoencoder()
    on, solver = pipeline.grid(16), DPMSolverPP()
    whole = pipeline.sample(on=on, seeds=SEEDS, solver=solver).values
    start = Function(on, torch.randn(5, on.size, 3, generator=seeded()).double())
    latent = torch.randn(5, LATENT, generator=seeded(1)).double()
    given = {"start": start, "latent": latent, "oversample": 1}
    all_five = pipeline.sample(on=on, batch=5, generator=seeded(), **given).values
    for chunk in (1, 2, 4):
        parts = pipeline.sample(on=on, seeds=SEEDS, solver=solver, chunk=chunk).values
        torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-9)
        parts = pipeline.sample(on=on, batch=5, generator=seeded(), chunk=chunk, **given).values
        torch.testing.assert_close(parts, all_five, rtol=1e-9, atol=1e-9)


def test_every_state_is_shown_and_every_part_is_wrapped():
    pipeline, shown, parts = model(), [], []

    def wrap(denoiser, part):
        parts.append((part.start, part.stop))
        return denoiser

    pipeline.sample(on=pipeline.grid(16), seeds=range(5), chunk=2, wrap=wrap, on_state=shown.append)
    assert parts == [(0, 2), (2, 4), (4, 5)]
    assert [state.x.batch[0] for state in shown] == [2] * 8 + [1] * 4
    assert [state.prediction is None for state in shown[:4]] == [False, False, False, True]


@pytest.mark.parametrize("chunk", [None, 2])
@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("name", ["start", "latent"])
def test_one_is_given_a_sample(name, count, chunk):
    pipeline = autoencoder()
    on = pipeline.grid(16)
    given = {
        "start": Function(on, torch.zeros(count, on.size, 3).double()),
        "latent": torch.zeros(count, LATENT).double(),
    }[name]
    with pytest.raises(ValueError, match=f"There is one {name} a sample; got the shape"):
        pipeline.sample(on=on, batch=4, generator=seeded(), chunk=chunk, **{name: given})


def test_one_condition_is_given_a_sample():
    pipeline = autoencoder()
    with pytest.raises(ValueError, match="There is one condition a sample"):
        pipeline.sample(on=pipeline.grid(16), seeds=SEEDS, condition=torch.zeros(4, 2).double())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({}, "one of generator= and seeds="),
        ({"generator": seeded(), "seeds": [1], "batch": 1}, "one of generator= and seeds="),
        ({"generator": seeded()}, "said by batch="),
        ({"seeds": []}, "one seed a sample"),
        ({"seeds": [1, 2], "batch": 3}, "one seed a sample"),
        ({"seeds": [-1]}, "seed"),
        ({"seeds": [1], "chunk": 0}, "chunk must be"),
    ],
)
def test_samples_have_one_source(how, message):
    pipeline = model()
    with pytest.raises(ValueError, match=message):
        pipeline.sample(on=pipeline.grid(16), **how)
