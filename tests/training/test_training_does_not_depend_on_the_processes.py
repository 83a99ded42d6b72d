"""Two processes with half of each batch train as one process with the whole of it."""

import json

import pytest
from training_script import TWO, curve, launched

from inftydiff.pipelines import load_pipeline
from inftydiff.training._batches import BatchSampler

STEPS = 20


@pytest.mark.slow
@pytest.mark.parametrize("latent", [None, 4])
def test_the_loss_curve_is_the_same(tmp_path, latent):
    settings = {"latent": latent, "max_steps": STEPS, "log_every": 1, "validate_every": 10}
    settings |= {
        "horizontal_flip": True,
        "warmup": 1,
        "gradient_accumulation": 2,
        "validation_images": 4,
    }
    one, two = tmp_path / "one", tmp_path / "two"
    reads = str(tmp_path / "reads.txt")
    done = launched({"out": str(one), "batch_size": 4, **settings})
    assert done.returncode == 0, done.stderr
    done = launched({"out": str(two), "batch_size": 2, "reads": reads, **settings}, *TWO)
    assert done.returncode == 0, done.stderr

    curves = [curve(folder) for folder in (one, two)]
    assert [line["step"] for line in curves[1]] == list(range(1, STEPS + 1))
    for key in ("loss", "gradient"):
        for a, b in zip(*curves, strict=True):
            assert b[key] == pytest.approx(a[key], rel=1e-5, abs=1e-5)
    logs = [(folder / "log.jsonl").read_text().splitlines() for folder in (one, two)]
    for a, b in zip(*logs, strict=True):
        assert json.loads(b)["held_out"] == pytest.approx(json.loads(a)["held_out"], rel=1e-5)
    weights = [load_pipeline(folder).state_dict().values() for folder in (one, two)]
    assert max(float((a - b).abs().max()) for a, b in zip(*weights, strict=True)) < 1e-5

    orders = [BatchSampler(14, 2, seed=0, process=p, processes=2) for p in range(2)]
    for process, order in enumerate(orders):
        read = [int(i) for i in (tmp_path / f"reads.{process}").read_text().split()]
        expected = [i for step in range(STEPS + 1) for i in order.batch(step)]
        assert read[:2] == [0, 0]  # whose shape is looked at, for the model and for the run
        assert read[2:] == expected[: len(read) - 2]
        assert len(read) - 2 in (2 * STEPS, 2 * STEPS + 2)


@pytest.mark.slow
def test_a_run_may_go_on_with_another_number_of_processes(tmp_path):
    settings = {"log_every": 1, "warmup": 1, "points": 0.5}
    one, both = tmp_path / "one", tmp_path / "both"
    for arguments, launcher in (
        ({"out": str(one), "batch_size": 4, "max_steps": 8}, ()),
        ({"out": str(both), "batch_size": 4, "max_steps": 5}, ()),
        ({"out": str(both), "batch_size": 2, "max_steps": 8, "resume": True}, TWO),
    ):
        done = launched(arguments | settings, *launcher)
        assert done.returncode == 0, done.stderr
    for a, b in zip(curve(one), curve(both), strict=True):
        assert b["step"] == a["step"]
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-5, abs=1e-5)
