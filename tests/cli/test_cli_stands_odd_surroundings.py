"""Odd paths, streams and signals: a command ends in words, and good files stay."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from inftydiff.cli import main

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "inftydiff.cli"]


def environment(**changes):
    return os.environ | {"PYTHONPATH": str(ROOT), **changes}


def sampled(model, out, *more):
    return main(
        ["sample", model, "--count", "1", "--steps", "1", "--size", "8", "--out", str(out), *more]
    )


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["$x^{", "a b", "ünï", "two\nlines", r"\frac", "-dash", "{}%s"])
def test_a_path_is_shown_as_it_is(tmp_path, model, name):
    folder = tmp_path / name
    folder.symlink_to(model)
    assert sampled(str(folder), tmp_path / "out" / name) == 0
    assert sorted(file.name for file in (tmp_path / "out" / name).iterdir()) == [
        "0000.png",
        "sheet.png",
    ]


@pytest.mark.thorough
def test_a_stream_of_few_characters_is_enough(tmp_path, model):
    words = [
        "sample",
        model,
        "--count",
        "1",
        "--steps",
        "1",
        "--size",
        "8",
        "--out",
        str(tmp_path / "ü"),
    ]
    done = subprocess.run(
        [*COMMAND, *words],
        env=environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(r"1 pictures of 8 \xd7 8 in ")


@pytest.mark.thorough
def test_nobody_has_to_read_what_is_printed():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "info"], env=environment(), stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize("seconds", [0.2, 0.7, 1.5])
def test_ctrl_c_ends_a_command_that_is_still_imported(seconds):
    process = subprocess.Popen(
        [*COMMAND, "info"],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert said.strip() in ("Stopped.", "")
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("array", [True, False])
def test_a_full_disk_leaves_the_samples_of_before(tmp_path, model, monkeypatch, capsys, array):
    out = tmp_path / ("a.npy" if array else "out")
    assert sampled(model, out) == 0
    files = [out] if array else sorted(out.iterdir())
    before = [file.read_bytes() for file in files]
    capsys.readouterr()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert sampled(model, out, "--seed", "7", "--overwrite") == 2
    assert f"{out} could not be written: No space left on device" in capsys.readouterr().err
    assert [file.read_bytes() for file in files] == before
    assert sorted(tmp_path.rglob("*")) == sorted({*files, out})
    fresh = tmp_path / ("b.npy" if array else "fresh")
    assert sampled(model, fresh) == 2
    assert not fresh.exists()


def test_a_link_in_the_output_is_not_followed(tmp_path, model):
    canary = tmp_path / "canary"
    canary.write_bytes(b"mine")
    before = canary.read_bytes()
    out = tmp_path / "out"
    out.mkdir()
    for name in ("sheet.png", "0000.png"):
        (out / name).symlink_to(canary)
    (tmp_path / "a.npy").symlink_to(canary)
    assert sampled(model, out, "--overwrite") == 0
    assert sampled(model, tmp_path / "a.npy", "--overwrite") == 0
    assert canary.read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_a_finaliser_ends_the_command(monkeypatch, capfd, number):
    class Finalised:
        def __del__(self):
            signal.raise_signal(number)

    def run(argv):
        Finalised()
        for _ in range(100):
            time.sleep(0.05)
        return 0

    monkeypatch.setattr(sys.modules["inftydiff.cli.main"], "_run", run)
    assert main(["info"]) == 128 + number
    assert capfd.readouterr().err == "\nStopped.\n"


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_stream_may_be_closed(tmp_path, model, monkeypatch, closed):
    monkeypatch.setattr(sys, closed, None)
    assert sampled(model, tmp_path / "out") == 0
    getattr(sys, closed).close()
