"""A run that is stopped and resumed is bit for bit the run that was not, whenever it is stopped."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from training_runs import SETTINGS, held_out, model, pictures, run, same

from inftydiff.pipelines import load_pipeline
from inftydiff.processes import NoisePrediction
from inftydiff.training import read_progress, train
from inftydiff.training._batches import BatchSampler, picture_generator, step_generator


@pytest.mark.thorough
@pytest.mark.parametrize("stop", [1, 3, 5])  # an epoch has three steps
def test_resumed_runs_are_the_same(tmp_path, stop):
    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", max_steps=stop)
    parts = run(tmp_path / "parts", resume=True)
    assert same(whole, parts)
    files = [
        load_file(tmp_path / name / "step-00000006" / "training.safetensors")
        for name in ("whole", "parts")
    ]
    assert files[0].keys() == files[1].keys()
    assert all(torch.equal(files[0][k], files[1][k]) for k in files[0])


def test_what_is_resumed_moves_on(tmp_path):
    three = run(tmp_path, max_steps=3)
    six = run(tmp_path, resume=True)
    assert not same(three, six)
    assert read_progress(tmp_path).step == 6


def test_resuming_a_finished_run_changes_nothing(tmp_path):
    first = run(tmp_path)
    before = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    assert same(run(tmp_path, resume=True), first)
    assert {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()} == before


def test_a_checkpoint_holds_the_model_that_train_returns(tmp_path):
    trained = run(tmp_path)
    loaded = load_pipeline(tmp_path)
    assert same(trained, loaded)
    assert not loaded.training
    assert loaded.config == trained.config


def test_runs_differ_by_their_seed_alone(tmp_path):
    a, b, c = (run(tmp_path / str(i), max_steps=2, seed=seed) for i, seed in enumerate((0, 0, 1)))
    assert same(a, b)
    assert not same(a, c)


def test_the_global_generator_is_neither_read_nor_moved(tmp_path):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a = run(tmp_path / "a", max_steps=2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert same(a, run(tmp_path / "b", max_steps=2))


def test_another_model_is_not_resumed(tmp_path):
    run(tmp_path, max_steps=1)
    with pytest.raises(ValueError, match="predict is velocity, not noise"):
        train(
            model(predict=NoisePrediction()),
            pictures(),
            held_out(),
            SETTINGS,
            tmp_path,
            resume=True,
        )


def test_a_new_run_does_not_begin_where_there_is_one(tmp_path):
    run(tmp_path, max_steps=1)
    with pytest.raises(ValueError, match="holds the checkpoints of a run"):
        run(tmp_path)
    with pytest.raises(ValueError, match="does not exist"):
        run(tmp_path / "nothing", resume=True)
    assert not (tmp_path / "nothing").exists()


@given(
    length=st.integers(1, 40),
    batch=st.integers(1, 6),
    processes=st.integers(1, 4),
    seed=st.integers(0, 2**63),
    first=st.integers(0, 20),
)
@settings(max_examples=50)
def test_an_epoch_shows_each_picture_at_most_once(length, batch, processes, seed, first):
    if length < batch * processes:
        with pytest.raises(ValueError, match="A step takes"):
            BatchSampler(length, batch, seed=seed, processes=processes)
        return
    orders = [
        BatchSampler(length, batch, seed=seed, process=p, processes=processes)
        for p in range(processes)
    ]
    steps = orders[0].steps_an_epoch
    assert steps == length // (batch * processes)
    for epoch in range(2):
        shown = [
            i for s in range(steps) for order in orders for i in order.batch(epoch * steps + s)
        ]
        assert len(shown) == len(set(shown)) == steps * batch * processes
        assert set(shown) <= set(range(length))
    later = iter(beginning_at(orders[0], first))
    assert [next(later) for _ in range(3)] == [orders[0].batch(first + i) for i in range(3)]


def beginning_at(order: BatchSampler, first: int) -> BatchSampler:
    return BatchSampler(
        order.length,
        order.batch_size,
        seed=order.seed,
        first=first,
        process=order.process,
        processes=order.processes,
    )


def test_epochs_are_shuffled_anew():
    order = BatchSampler(20, 20, seed=0)
    assert order.batch(0) != order.batch(1)
    assert sorted(order.batch(0)) == sorted(order.batch(1)) == list(range(20))
    assert BatchSampler(20, 20, seed=1).batch(0) != order.batch(0)


def test_no_two_steps_or_pictures_draw_the_same():
    steps = [(seed, step) for seed in range(3) for step in range(3)]
    generators = [step_generator(*key) for key in steps]
    generators += [picture_generator(*key, number) for key in steps for number in range(3)]
    draws = {float(torch.rand((), generator=g).double()) for g in generators}
    assert len(draws) == len(generators)
    a, b = (torch.rand(5, generator=picture_generator(1, 2, 3)) for _ in range(2))
    assert torch.equal(a, b)


def test_settings_of_a_run_may_change_when_it_is_resumed(tmp_path):
    run(tmp_path, max_steps=2)
    config = dataclasses.replace(SETTINGS, learning_rate=1e-5, max_steps=3, batch_size=2)
    train(model(), pictures(), None, config, tmp_path, resume=True, progress=False)
    assert read_progress(tmp_path).step == 3
