"""The weights in the package are found by name, are small, say what they are, and draw one face."""

import pytest
import torch

from inftydiff import timesteps
from inftydiff.pipelines import InftyDiff, load_pipeline, preset
from inftydiff.pipelines._pretrained import WEIGHTS_FOLDER, resolve, shipped

MEGABYTES = 20


@pytest.mark.parametrize("name", sorted(shipped()))
def test_they_are_found_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loaded = InftyDiff.from_pretrained(name)
    again = load_pipeline(name)
    assert loaded.config == again.config
    for a, b in zip(loaded.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_folder_of_that_name_goes_first(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = InftyDiff(preset("tiny", resolution=16))
    mine.save_pretrained(name)
    assert InftyDiff.from_pretrained(name).config == mine.config


def test_another_name_is_told_which_there_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"faces-63 does not exist.*faces-64"):
        resolve("faces-63")


def test_they_are_small():
    size = sum(file.stat().st_size for file in WEIGHTS_FOLDER.rglob("*"))
    assert size < MEGABYTES * 10**6


@pytest.mark.parametrize("name", sorted(shipped()))
def test_the_card_says_what_they_are(name):
    card = (shipped()[name] / "README.md").read_text(encoding="utf-8")
    for word in (f"# {name}", "license:", "inftydiff train ", "kernel distance", "Johan Melin"):
        assert word in card


@pytest.mark.thorough
@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_seed_is_one_face_at_every_size(name):
    pipeline = InftyDiff.from_pretrained(name)

    def face(size, seed=0):
        generator = torch.Generator().manual_seed(seed)
        on = pipeline.grid(size)
        return pipeline.sample(on=on, batch=1, generator=generator, times=timesteps(3)).to_image()

    def apart(a, b):
        small, large = sorted((a, b), key=lambda x: x.shape[-1])
        large = torch.nn.functional.adaptive_avg_pool2d(large, small.shape[-1])
        return float((small - large).square().mean().sqrt())

    at_64 = face(64)
    another = apart(at_64, face(64, seed=1))
    assert another > 0.1
    assert apart(at_64, face(32)) < 0.02
    assert apart(at_64, face(128)) < 0.01
    assert apart(at_64, face(256)) < 0.01
