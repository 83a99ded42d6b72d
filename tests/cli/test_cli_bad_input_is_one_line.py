"""What a user gets wrong ends in one line on stderr and status 2, with nothing written."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from training_runs import pictures

from inftydiff.cli import main
from inftydiff.cli.info import Info
from inftydiff.cli.train import Train


def bad(words, match, capsys):
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("inftydiff: ")
    assert match in said.err


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("--minutes 0", "--minutes must be a finite number above 0; got 0.0"),
        ("--minutes -3", "--minutes must be"),
        ("--minutes nan", "--minutes must be"),
        ("--style toon-hed", "The nearest are toon-head"),
        ("--images 0", "must be a whole number"),
        ("--images 2000000", "Ask for fewer"),
        ("--resolution 0", "resolution must be"),
        ("--rows 0", "--rows must be"),
        ("--sizes", "at least one size"),
        ("--sizes 32 0", "--sizes must be"),
        ("--steps 0", "steps must be"),
        ("--batch-size 0", "batch_size must be"),
        ("--batch-size 100 --images 50", "at most --images; got 100 and 50"),
        ("--seed -1", "seed"),
    ],
)
def test_demo(tmp_path, capsys, monkeypatch, words, match):
    monkeypatch.chdir(tmp_path)
    bad(["demo", "--train", *words.split()], match, capsys)
    assert list(tmp_path.iterdir()) == []


def test_demo_without_training(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bad(["demo", "--minutes", "1", "--batch-size", "4"], "--minutes, --batch-size is for", capsys)
    bad(["demo", "--steps", "0"], "--steps must be", capsys)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    bad(["demo", "--out", str(tmp_path / "file")], "is a file", capsys)
    bad(["demo", "--out", str(tmp_path / "file" / "demo")], "cannot be written to", capsys)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("nowhere", "neither 'faces', nor a folder"),
        ("empty.npy", "cannot be read as one array"),
        ("faces --style xx", "No style is called"),
        ("faces --resolution 8 9", "Faces are square"),
        ("faces --minutes None", "Nothing ends this run"),
        ("faces --resume", "does not exist"),
        ("faces --held-out 0", "must be a whole number"),
        ("good.npy --held-out 14", "1 to 13 can be held out"),
        ("good.npy --network.kind multiscal", "the nearest is 'multiscale'"),
        ("good.npy --network.kind", "followed by the name of a kind"),
        ("good.npy --networks.kind fno", "Choose one of this command's: 'network'"),
        ("good.npy --process.kind trace-clas", "the nearest is 'trace_class'"),
        ("good.npy --process.kind none", "got none. Choose one"),
        ("good.npy --batch-size 99 --held-out 4", "A step takes 99"),
        ("good.npy --process.mollifier.width -1", "width of a Gaussian mollifier must be"),
    ],
)
def test_train(tmp_path, capsys, monkeypatch, words, match):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.npy").write_bytes(b"")
    np.save(tmp_path / "good.npy", pictures().pixels.numpy())
    bad(["train", *words.split()], match, capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.npy", "good.npy"]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("nowhere", "does not exist"),
        (".", "holds no checkpoint"),
        (". --count 0", "--count must be"),
        (". --seed -1", "--seed must be a whole number from 0"),
        (". --solver.eta 2", "must be a number in [0, 1]"),
        (". --solver.kind ddmp", "the nearest is 'ddpm'"),
        (". --steps 0", "number of steps must be"),
    ],
)
def test_sample(tmp_path, capsys, monkeypatch, words, match):
    monkeypatch.chdir(tmp_path)
    bad(["sample", *words.split()], match, capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("nowhere", "does not exist"),
        (".", "holds no checkpoint"),
        ("good.npy --count 1", "--count must be at least 2; got 1"),
        ("good.npy --count 0", "--count must be a whole number"),
        ("good.npy --reference 1", "--reference must be at least 2"),
        ("good.npy --resamples 1", "--resamples must be at least 2"),
        ("good.npy --seed -1", "--seed must be a whole number from 0"),
        ("good.npy --solver.eta 2", "must be a number in [0, 1]"),
        ("good.npy --low-pass 0", "--low-pass must be a finite number above 0"),
        ("good.npy --noise-to-signal -1", "--noise-to-signal must be"),
        ("good.npy --network-size 8", "at least 32; got 8"),
        ("good.npy --json good.npy", "good.npy exists"),
        ("good.npy --style xx", "No style is called"),
        ("good.npy --data nowhere", "neither 'faces', nor a folder"),
        ("good.npy", "good.npy holds 14 pictures, and 500 are needed"),
        ("good.npy --data good.npy --reference 10 --count 9", "14 pictures, and 19 are needed"),
        ("good.npy --data good.npy --size 8", "16 × 16 pixels; got --size 8"),
        ("good.npy --count 9 --data wide.npy", "Compare pictures of one size"),
        ("wide.npy --count 9", "Faces are square; got 16 × 20"),
        ("bytes.npy", "cannot be read as one array"),
        ("loud.npy", "scale it"),
    ],
)
def test_evaluate(tmp_path, capsys, monkeypatch, words, match):
    monkeypatch.chdir(tmp_path)
    np.save("good.npy", pictures().pixels.numpy())
    np.save("wide.npy", pictures(shape=(16, 20)).pixels.numpy())
    np.save("loud.npy", pictures().pixels.numpy().astype(np.float32))
    (tmp_path / "bytes.npy").write_bytes(b"")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    bad(["evaluate", *words.split()], match, capsys)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("words", ["demo --minuts 3", "sample", "sample --size x y z"])
def test_what_cannot_be_parsed(tmp_path, capsys, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(words.split())
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def no_memory():
    torch.empty(2**60, dtype=torch.uint8)


def no_array():
    np.empty(2**60, dtype=np.uint8)


def no_device():
    raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2.00 GiB.")


def no_file():
    raise SafetensorError("I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    ("fault", "match"),
    [(no_memory, "can't allocate"), (no_array, "Unable to allocate"), (no_device, "2.00 GiB.")],
)
def test_too_little_memory(capsys, monkeypatch, fault, match):
    monkeypatch.setattr(Train, "run", lambda self, words: fault())
    bad(["train", "faces"], match, capsys)
    bad(
        ["train", "faces"],
        "Out of memory. Lower --batch-size, or use --gradient-accumulation or",
        capsys,
    )
    monkeypatch.setattr(Info, "run", lambda self, words: fault())
    bad(["info"], "Out of memory. Ask for smaller pictures", capsys)


def test_what_the_reader_of_weights_says(capsys, monkeypatch):
    monkeypatch.setattr(Info, "run", lambda self, words: no_file())
    bad(["info"], "No space left", capsys)


def test_faults_of_the_program_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(Info, "run", lambda self, words: {}["key"])
    with pytest.raises(KeyError):
        main(["info"])


def test_debug_raises():
    with pytest.raises(ValueError, match="--minutes"):
        main(["demo", "--train", "--minutes", "0", "--debug"])


@pytest.mark.parametrize("words", [["demo", "--help"], ["train", "--help"]])
def test_help(capsys, words):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    assert "inftydiff" in capsys.readouterr().out


def test_the_command_line_imports_little():
    code = "import sys, inftydiff.cli; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "inftydiff.cli.main" in modules
    assert not {"accelerate", "matplotlib", "tyro", "PIL"} & set(modules)
