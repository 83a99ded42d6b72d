"""A mutation changes one file or what is beside it, in words, and nothing outside but by links."""

import json
import random

import numpy as np
import pytest
import the_fuzzer
import torch
from safetensors.torch import load_file, save_file

from robustness.fuzz_files import VICTIM, _contents, _looked_at
from robustness.fuzz_mutations import ANY, LINKS, TEXT, Unfit, resigned
from robustness.fuzz_mutations_arrays import ARRAYS
from robustness.fuzz_mutations_weights import WEIGHTS

ALL = sorted({*ANY, *LINKS, *TEXT, *ARRAYS, *WEIGHTS}, key=lambda m: m.__name__)


@pytest.fixture
def folder(tmp_path):
    """A folder with a file of each kind, and a folder beside it."""
    made = tmp_path / "kind"
    made.mkdir()
    record = {"version": 1, "network": {"width": 8, "grid": [8, 8]}, "a": {"b": [1, 2]}}
    (made / "config.json").write_text(json.dumps(record))
    (made / "a.toml").write_text("width = 8\nseed = 1")
    (made / "a.csv").write_text("0.5,0.25,1\n0.1,0.2,3")
    save_file({"a": torch.ones(2, 2), "b": torch.zeros(3)}, made / "model.safetensors")
    np.save(made / "a.npy", np.arange(192, dtype=np.uint8).reshape(1, 3, 8, 8))
    outside = tmp_path / "outside" / "folder"
    outside.mkdir(parents=True)
    (outside.parent / "victim.txt").write_bytes(VICTIM)
    return made


@pytest.mark.parametrize("mutation", ALL, ids=lambda m: m.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_a_mutation_says_what_it_changes(folder, mutation, seed):
    draw = random.Random(seed)
    outside = folder.parent / "outside"
    before, beside = _contents(folder), _contents(outside)
    tried = 0
    for name in sorted(before):
        try:
            words = mutation(draw, folder, folder / name)
        except Unfit:
            continue
        tried += 1
        assert words
        assert _contents(folder) != before or "bits" in words or "values" in words
        break
    after = _contents(outside)
    assert {name: after[name] for name in beside} == beside
    if mutation.__name__ in ("flip", "truncate", "link", "fifo", "json_value", "weights"):
        assert tried == 1


def test_the_same_draw_is_the_same_damage(folder):
    content = (folder / "a.npy").read_bytes()
    found = []
    for _ in range(2):
        (folder / "a.npy").write_bytes(content)
        ANY[0](random.Random(5), folder, folder / "a.npy")
        found.append((folder / "a.npy").read_bytes())
    assert found[0] == found[1] != content


def test_digests_are_right_again_after_a_mutation(folder):
    import hashlib

    config = folder / "config.json"
    config.write_text(json.dumps({"digests": {"model.safetensors": "0" * 64}}))
    (folder / "training.safetensors").write_bytes(b"")
    resigned(folder)
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert json.loads(config.read_text())["digests"] == {"model.safetensors": digest}
    assert set(load_file(folder / "model.safetensors")) == {"a", "b"}


def test_what_is_read_is_looked_at():
    assert _looked_at(torch.ones(3)) == []
    assert _looked_at([torch.ones(3), torch.tensor([torch.inf])])[0][0] == "silent"
    stolen = np.frombuffer(VICTIM, "<f4", 8).astype(np.float64)
    assert _looked_at([stolen])[0][0] == "followed"
    module = torch.nn.Linear(2, 2)
    assert _looked_at(module) == []
    module.weight.data[0] = torch.nan
    assert _looked_at(module)[0][0] == "silent"


def test_the_fuzzer_lies_beside_the_package():
    assert (the_fuzzer.ROOT / "robustness" / "fuzz.py").is_file()
    assert (the_fuzzer.ROOT / "inftydiff").is_dir()
