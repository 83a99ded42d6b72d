"""Weights of another model, damaged files, other versions and pickles are refused, by name."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from autoencoders import autoencoder, autoencoder_config
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.pipelines._pretrained import FILES


@pytest.fixture
def folder(tmp_path):
    return autoencoder().float().save_pretrained(tmp_path / "model")


def rewritten(folder, change=lambda tensors: None):
    """The weights with a change, and without digests, as another program would write them."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def refused(folder, message):
    with pytest.raises(ValueError, match=message):
        InftyDiff.from_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    refused(folder, f"has no {name}")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("size", [0, 100, -1])
def test_a_truncated_file_is_named(folder, name, size):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:size])
    refused(folder, f"{name} cannot be read")


def test_one_changed_bit_is_noticed(folder):
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(bytes(content))
    refused(folder, "has been changed since it was saved")


def test_a_missing_weight_is_named(folder):
    rewritten(folder, lambda tensors: tensors.pop("network.projection.bias"))
    refused(folder, r"Missing: network\.projection\.bias\. Get the weights")


def test_an_unexpected_weight_is_named(folder):
    rewritten(folder, lambda tensors: tensors.update(extra=torch.zeros(1)))
    refused(folder, r"Unexpected: extra\. Get the weights")


def test_a_weight_of_another_shape_is_named(folder):
    rewritten(folder, lambda tensors: tensors.update({"prior.mean": torch.zeros(7)}))
    refused(folder, r"shape: prior\.mean \(7,\) for \(5,\)")


def test_a_weight_of_another_kind_is_named(folder):
    rewritten(folder, lambda tensors: tensors.update({"prior.mean": torch.zeros(5).long()}))
    refused(folder, r"Of other numbers: prior\.mean")


def test_a_weight_that_is_not_finite_is_named(folder):
    rewritten(folder, lambda tensors: tensors["prior.mean"].fill_(torch.nan))
    refused(folder, r"not finite: prior\.mean")


def test_weights_of_another_architecture_are_refused(folder):
    rewritten(folder)
    changed = autoencoder_config(kl_weight=0.5)
    (folder / "config.json").write_text(changed.to_json())
    refused(folder, r"shape: encoder\.out\.bias \(5,\) for \(10,\)")
    (folder / "config.json").write_text(autoencoder_config(prior=None).to_json())
    refused(folder, r"Unexpected: prior\..* and \d+ more")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 3}, "is of version 3, and this release of inftydiff reads up to 2"),
        ({"widht": 3}, "no field 'widht'"),
        ({"steps": 0}, "steps must be"),
    ],
)
def test_a_configuration_that_is_not_known_is_refused(folder, change, message):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    refused(folder, message)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".bin", ".pkl", ".ckpt", ".PT"])
def test_pickles_are_refused_by_name(tmp_path, folder, suffix):
    file = tmp_path / f"weights{suffix}"
    torch.save({"a": torch.ones(1)}, file)
    refused(file, "pickles are never read")
    with pytest.raises(ValueError, match="pickles are never read"):
        load_pipeline(file)
    refused(f"owner/name{suffix}", "pickles are never read")
    (folder / "model.safetensors").unlink()
    file.rename(folder / f"model{suffix}")
    refused(folder, f"model{suffix} is a pickle by its name")


def test_a_pickle_is_not_unpickled(folder, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *args, **keywords: pytest.fail("unpickled"))
    (folder / "model.safetensors").write_bytes(b"\x80\x04N.")
    refused(folder, "cannot be read as safetensors")


def test_a_file_is_refused(folder):
    refused(folder / "model.safetensors", "give the folder")
    with pytest.raises(ValueError, match="is a file"):
        autoencoder().save_pretrained(folder / "config.json")


def test_what_does_not_exist_is_refused(tmp_path):
    refused(tmp_path / "nothing", "does not exist")


def test_a_full_disk_leaves_the_old_model(folder, monkeypatch):
    before = {file: file.read_bytes() for file in folder.iterdir()}

    def full(*args, **keywords):
        raise OSError(28, "No space left on device")

    def rust(*args, **keywords):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    for name, fault in (("os.fsync", full), ("safetensors.torch.save_file", rust)):
        with monkeypatch.context() as patch:
            patch.setattr(name, fault)
            with pytest.raises(OSError, match="to .*model: .*No space left.* before is intact"):
                autoencoder(1).float().save_pretrained(folder)
            with pytest.raises(OSError, match="None was before; make room"):
                autoencoder(1).float().save_pretrained(folder.parent / "other")
        assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_a_changed_configuration_is_noticed(folder):
    file = folder / "config.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps(record | {"noise_to_signal": 0.5}))
    refused(folder, "not the configuration that model.safetensors was saved with")
    file.write_text(json.dumps(dict(reversed(record.items())), indent=8))
    InftyDiff.from_pretrained(folder)
    file.write_text(json.dumps(record | {"noise_to_signal": 0.5}))
    rewritten(folder)  # weights that do not say what belongs to them are read as they are
    assert InftyDiff.from_pretrained(folder).config.noise_to_signal == 0.5


KILLED = """
import os, signal, sys
from autoencoders import autoencoder

replace = os.replace
def cut(source, target):
    if target.name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = cut
autoencoder(1, noise_to_signal=0.5).float().save_pretrained(sys.argv[1])
"""


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("moment", "old"),
    [("README.md", True), ("model.safetensors", True), ("config.json", False)],
)
def test_a_kill_leaves_no_mixed_pair(folder, moment, old):
    places = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), moment],
        env=os.environ | {"PYTHONPATH": places},
    )
    assert done.returncode == -signal.SIGKILL
    assert (InftyDiff.from_pretrained(folder).config.noise_to_signal != 0.5) == old
    autoencoder(1).float().save_pretrained(folder)
    assert InftyDiff.from_pretrained(folder).config.noise_to_signal != 0.5
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES)


def test_the_hub_s_refusal_is_one_error(tmp_path, monkeypatch):
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*args, **keywords):
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    monkeypatch.chdir(tmp_path)
    refused("nobody/nothing", "cannot be had from the Hugging Face Hub: no network")
