"""A worker that dies, a folder that is in use and a full disk give one error, and lose nothing."""

import errno
import os
import re
import subprocess
import time

import pytest
import safetensors
from training_runs import run, same
from training_script import launched, started

from inftydiff.pipelines import load_pipeline
from inftydiff.training import checkpoint
from inftydiff.training._batches import BatchSampler, living_workers
from inftydiff.training._folders import RunLock


@pytest.mark.thorough
def test_a_worker_that_dies_is_named(tmp_path):
    deadly = BatchSampler(14, 4, seed=0).batch(2)[0]
    out = tmp_path / "run"
    done = launched({"out": str(out), "workers": 2, "deadly": deadly, "checkpoint_steps": 1})
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    found = re.match(r"ChildProcessError: A process that reads pictures died \(pid \d+", last)
    assert found, done.stderr
    assert "lower workers" in last
    assert "checkpoint" in last


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="mine"), living_workers(lambda: ""):
        raise RuntimeError("mine")


def test_workers_change_nothing(tmp_path):
    assert same(run(tmp_path / "0"), run(tmp_path / "2", workers=2))


def test_a_second_run_in_one_folder_is_refused(tmp_path):
    with RunLock(tmp_path / "run"):
        with pytest.raises(ValueError, match="Another run is writing to .*run"):
            run(tmp_path / "run")
        with RunLock(tmp_path / "other"), RunLock(tmp_path / "run", wanted=False):
            pass
    run(tmp_path / "run", max_steps=1)  # released


def test_an_error_releases_the_folder(tmp_path):
    with pytest.raises(FloatingPointError):
        run(tmp_path, learning_rate=1e39, warmup=0, max_steps=1)
    run(tmp_path, max_steps=1)


@pytest.mark.thorough
def test_a_crash_releases_the_folder_and_a_run_that_lives_does_not(tmp_path):
    out = tmp_path / "run"
    process = started({"out": str(out), "max_steps": 100000, "checkpoint_steps": 1, "workers": 1})
    end = time.monotonic() + 120
    while not checkpoint.steps_in(out):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    with pytest.raises(ValueError, match="Another run is writing"):
        run(out, resume=True)
    process.kill()
    process.communicate()
    step = checkpoint.latest(out).name
    run(out, resume=True, max_steps=1)  # at once, whatever its workers do
    assert checkpoint.latest(out).name == step


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
RUST = safetensors.SafetensorError("I/O error: No space left on device (os error 28)")


@pytest.mark.thorough
@pytest.mark.parametrize("error", [FULL, RUST])
@pytest.mark.parametrize("name", ["model", "training"])
def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch, error, name):
    good = run(tmp_path, max_steps=3)
    write = checkpoint.save_file

    def full(tensors, path):
        if path.name.startswith(name):
            raise error
        write(tensors, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full)
        with pytest.raises(OSError, match="step 6 .* No space left.* step-00000003 is intact"):
            run(tmp_path, resume=True)
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-00000003"]
    assert same(load_pipeline(tmp_path), good)
    run(tmp_path, resume=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk of its own")
def test_a_disk_that_is_full_indeed(tmp_path):
    mounted = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
    if subprocess.run(mounted, capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        run(tmp_path / "run", max_steps=1, keep=1)
        (tmp_path / "ballast").write_bytes(bytes(_free(tmp_path) - 100_000))
        with pytest.raises(OSError, match="No space left on device.* step-00000001 is intact"):
            run(tmp_path / "run", resume=True, max_steps=2)
        load_pipeline(tmp_path / "run")
        (tmp_path / "ballast").unlink()
        run(tmp_path / "run", resume=True, max_steps=2, keep=1)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def _free(folder):
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
