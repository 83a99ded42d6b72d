"""A network that predicts x₀ ends sampling itself: no filter undoes the mollifier."""

import dataclasses

import torch
from networks import randomised
from torch.testing import assert_close

from inftydiff import CleanPrediction
from inftydiff.operators.cells import coarsen
from inftydiff.pipelines import InftyDiff, preset, tasks
from inftydiff.processes import VelocityPrediction


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model(**changes) -> InftyDiff:
    changes = {
        "predict": CleanPrediction(),
        "clip": None,
        "steps": 4,
        "training_resolution": None,
        **changes,
    }
    return randomised(InftyDiff(dataclasses.replace(preset("tiny", resolution=16), **changes)))


def test_samples_are_what_the_network_said_last():
    pipeline = model()
    grid = pipeline.grid(16)
    *_, before, last = pipeline.trajectory(on=grid, batch=2, generator=seeded())
    found = pipeline.sample(on=grid, batch=2, generator=seeded())
    assert found.values.equal(before.prediction.clean.values)
    assert last.prediction is None
    smooth = pipeline.sample(on=grid, batch=2, generator=seeded(), deconvolve=False)
    assert_close(pipeline.process.constant_signal(found).values, smooth.values)
    assert not torch.allclose(found.values, pipeline.deconvolve(smooth).values, atol=1e-2)


def test_other_networks_samples_are_deconvolved():
    pipeline = model(predict=VelocityPrediction())
    grid = pipeline.grid(16)
    smooth = pipeline.sample(on=grid, batch=2, generator=seeded(), deconvolve=False)
    found = pipeline.sample(on=grid, batch=2, generator=seeded())
    assert found.values.equal(pipeline.deconvolve(smooth).values)


def test_its_signal_is_not_projected():
    grid = model().grid(16)
    plain, projected = (
        model(range_floor=floor).sample(on=grid, batch=1, generator=seeded())
        for floor in (None, 0.5)
    )
    assert plain.values.equal(projected.values)


def test_guided_samples_have_what_was_observed():
    pipeline = model()
    fine, low = pipeline.grid(16), pipeline.grid(4)
    truth = pipeline.sample(on=fine, batch=1, generator=seeded(1))
    coarse = coarsen(truth, low)
    found = tasks.super_resolve(
        pipeline, coarse, on=fine, samples=2, generator=seeded(2), composite=False
    )
    drawn = pipeline.sample(on=fine, batch=2, generator=seeded(2))
    error = (coarsen(found.samples, low).values - coarse.values.unsqueeze(1)).norm(dim=(2, 3))
    without = (coarsen(drawn, low).values - coarse.values).norm(dim=(1, 2))
    assert (error < 0.1 * without).all()
