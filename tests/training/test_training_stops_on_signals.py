"""Ctrl-C and SIGTERM end a run after its step, keep its state, and say how to go on."""

import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from training_runs import pictures, run

from inftydiff.training import Interrupted, checkpoint, read_progress
from inftydiff.training.signals import StopSignals

MAIN = "import sys; from inftydiff.cli import main; sys.exit(main())"


def started(folder, *words, limit=60.0):
    """A training command that has written its first checkpoint."""
    np.save(folder / "data.npy", pictures().pixels.numpy())
    command = [sys.executable, "-c", MAIN, "train", str(folder / "data.npy"), "--preset", "tiny"]
    command += ["--out", str(folder / "run"), "--held-out", "4", "--batch-size", "4"]
    command += ["--checkpoint-steps", "2", "--minutes", "10", "--precision", "float32", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + limit
    while not checkpoint.steps_in(folder / "run"):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the first checkpoint does not come"
        time.sleep(0.05)
    return process


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_can_be_resumed(tmp_path, number):
    process = started(tmp_path)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    found = re.search(r"Go on with: inftydiff (train .* --resume)\n", said)
    assert found
    step = read_progress(tmp_path / "run").step
    assert str(step) in said.splitlines()[-1]
    if number == signal.SIGTERM:
        return
    words = [*found[1].split(), "--minutes", "None", "--max-steps", str(step + 2)]
    again = subprocess.run(
        [sys.executable, "-c", MAIN, *words], capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 0, again.stderr
    assert read_progress(tmp_path / "run").step == step + 2


def test_a_signal_in_the_library_raises_when_the_state_is_saved(tmp_path, monkeypatch):
    steps = []
    original = checkpoint.save

    def save(*args, **kwargs):
        steps.append(kwargs["progress"].step)
        return original(*args, **kwargs)

    def validate_and_stop(*args, **kwargs):
        signal.raise_signal(signal.SIGINT)
        return 0.0

    monkeypatch.setattr(checkpoint, "save", save)
    monkeypatch.setattr("inftydiff.training._run.estimated_loss", validate_and_stop)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="resume=True") as stop:
        run(tmp_path, validate_every=2)
    assert steps == [2]
    assert stop.value.checkpoint == tmp_path / "step-00000002"
    assert isinstance(stop.value, KeyboardInterrupt)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def interrupts():
    """Ctrl-C interrupts, even where the tests run in the background of a shell that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_a_second_signal_acts_at_once():
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_train_too(tmp_path):
    done = []
    thread = threading.Thread(target=lambda: done.append(run(tmp_path, max_steps=1)))
    thread.start()
    thread.join()
    assert done
    assert read_progress(tmp_path).step == 1


def test_minutes_end_a_run(tmp_path):
    begin = time.monotonic()
    run(tmp_path, max_steps=None, minutes=0.02)
    assert time.monotonic() - begin < 20.0
    done = read_progress(tmp_path)
    assert done.seconds >= 1.2
    assert done.step >= 1
