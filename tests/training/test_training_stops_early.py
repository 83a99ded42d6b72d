"""A run with a patience stops when the held-out loss has not improved for so many estimates."""

import dataclasses

import pytest
from training_runs import SETTINGS, model, pictures, run, same

from inftydiff.pipelines import latest, load_pipeline
from inftydiff.pipelines.checkpoints import steps_in
from inftydiff.training import Progress, best, read_progress, train

LOSSES = [0.9, 0.7, 0.8, 0.75, float("nan"), 0.6, 0.65, 0.7, 0.7, 0.5]
"""Held-out losses by the number of the estimate."""


@pytest.fixture
def losses(monkeypatch):
    """The held-out losses above, from that of a step on."""
    waiting = []

    def loss(average, *args, **kwargs):
        return waiting.pop(0)

    def use(first=1):
        waiting[:] = LOSSES[first - 1 :]

    monkeypatch.setattr("inftydiff.training._run.estimated_loss", loss)
    return use


SMALL = {"max_steps": 10, "validate_every": 1, "batch_size": 2, "keep": 1}


@pytest.mark.thorough
def test_it_stops_and_keeps_the_best(tmp_path, losses):
    losses()
    run(tmp_path / "a", patience=4, **SMALL)
    done = read_progress(tmp_path / "a")
    assert (done.step, done.best, done.best_step, done.since) == (10, 0.5, 10, 0)
    losses()
    run(tmp_path / "b", patience=3, **SMALL)
    done = read_progress(tmp_path / "b")
    assert (done.step, done.best, done.best_step, done.since) == (5, 0.7, 2, 3)
    assert [f.name for f in steps_in(tmp_path / "b")] == ["step-00000002", "step-00000005"]
    assert best(tmp_path / "b").name == "step-00000002"
    assert latest(tmp_path / "b").name == "step-00000005"
    assert not same(load_pipeline(best(tmp_path / "b")), load_pipeline(tmp_path / "b"))
    losses(6)
    run(tmp_path / "b", resume=True, patience=3, **SMALL)  # it has used its patience up
    assert read_progress(tmp_path / "b").step == 5


@pytest.mark.thorough
@pytest.mark.parametrize("stop", [1, 3, 4])
def test_the_patience_is_that_of_the_run_before(tmp_path, losses, stop):
    losses()
    run(tmp_path, patience=3, **(SMALL | {"max_steps": stop}))
    losses(stop + 1)
    run(tmp_path, resume=True, patience=3, **SMALL)
    done = read_progress(tmp_path)
    assert (done.step, done.best_step, done.since) == (5, 2, 3)


def test_without_a_patience_no_best_is_kept(tmp_path, losses):
    losses()
    run(tmp_path, **SMALL)
    assert read_progress(tmp_path).best == 0.5
    assert len(steps_in(tmp_path)) == 1
    losses()
    run(tmp_path / "b", **(SMALL | {"max_steps": 4}))
    with pytest.raises(ValueError, match="does not keep its best checkpoint"):
        best(tmp_path / "b")


def test_a_patience_needs_held_out_pictures(tmp_path):
    config = dataclasses.replace(SETTINGS, patience=2)
    with pytest.raises(ValueError, match="patience waits for a held-out loss"):
        train(model(), pictures(), None, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_estimate_that_is_not_finite_is_none():
    done = Progress(step=3, best=0.5, best_step=2).estimated(float("inf"))
    assert (done.held_out, done.best, done.since) == (None, 0.5, 1)
