"""A step whose loss or gradient is not finite changes nothing but is told; many in a row end it."""

import json
import math

import pytest
from training_runs import run, same

from inftydiff.pipelines import latest, load_pipeline
from inftydiff.training import Progress, TrainConfig, read_progress
from inftydiff.training._bar import Bar
from inftydiff.training._objective import TrainingLoss


@pytest.fixture
def spoilt(monkeypatch):
    """A loss that is not a number at the second and the fifth step."""
    forward = TrainingLoss.forward

    def loss(objective, images, part):
        return forward(objective, images, part) * (math.nan if part.step in (1, 4) else 1.0)

    monkeypatch.setattr(TrainingLoss, "forward", loss)


def skipped(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["skipped"] for line in lines if "best" not in line}


@pytest.mark.thorough
@pytest.mark.usefixtures("spoilt")
@pytest.mark.parametrize("latent", [None, 4])
def test_a_bad_step_costs_itself_alone(tmp_path, latent):
    trained = run(tmp_path / "a", checkpoint_steps=1, latent=latent)
    done = read_progress(tmp_path / "a")
    assert (done.step, done.skipped, done.in_a_row, done.updates) == (6, 2, 0, 4)
    assert skipped(tmp_path / "a") == dict.fromkeys((2, 5), "the loss is nan")
    assert all(bool(w.isfinite().all()) for w in trained.parameters())
    one, two, three = (load_pipeline(tmp_path / "a" / f"step-{n:08d}") for n in (1, 2, 3))
    assert same(one, two)
    assert not same(two, three)
    if latent is None:
        return
    for stop in (1, 2, 3):  # what was skipped before does not matter to what is resumed
        run(tmp_path / str(stop), max_steps=stop, latent=latent)
        assert same(trained, run(tmp_path / str(stop), resume=True, latent=latent))


def test_a_gradient_that_is_not_finite_counts_too(tmp_path, monkeypatch):
    forward = TrainingLoss.forward

    def steep(objective, images, part):
        loss = forward(objective, images, part)
        if part.step == 2:
            loss.register_hook(lambda gradient: gradient * math.inf)
        return loss

    monkeypatch.setattr(TrainingLoss, "forward", steep)
    trained = run(tmp_path)
    assert list(skipped(tmp_path)) == [3]
    assert "the gradient is" in skipped(tmp_path)[3]
    assert all(bool(w.isfinite().all()) for w in trained.parameters())


def test_many_in_a_row_end_the_run_and_the_last_checkpoint_stays(tmp_path, monkeypatch):
    good = run(tmp_path, max_steps=3)
    forward = TrainingLoss.forward
    broken = lambda *args: forward(*args) * math.nan  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr(TrainingLoss, "forward", broken)
        with pytest.raises(FloatingPointError, match="2 steps in a row.*newest checkpoint is .*3,"):
            run(tmp_path, resume=True, max_steps=50, max_skipped=2, validate_every=100)
    assert latest(tmp_path).name == "step-00000003"
    assert same(load_pipeline(tmp_path), good)
    assert list(skipped(tmp_path)) == [4, 5]
    again = run(tmp_path, resume=True, max_steps=4)
    assert not skipped(tmp_path)  # those steps have been done anew
    assert not same(again, good)


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    with pytest.raises(FloatingPointError, match="are not saved. There is no checkpoint yet"):
        run(tmp_path, max_steps=1, learning_rate=1e39, warmup=0)
    assert not list(tmp_path.glob("step-*"))


def test_the_bar_says_so(capsys):
    with Bar(TrainConfig(max_steps=10), Progress(), visible=True) as bar:
        bar.show(Progress(step=1, skipped=1), 4, "the loss is nan")
        bar.show(Progress(step=2, skipped=1, loss=0.5, seconds=1.0), 4)
    said = capsys.readouterr().err
    assert "Step 1 was skipped: the loss is nan." in said
    assert "loss 0.500" in said
    assert "images/s" in said
