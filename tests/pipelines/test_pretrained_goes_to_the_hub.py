"""``push_to_hub`` puts the three files of a model, and no others, into a repository of the Hub."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from autoencoders import autoencoder
from huggingface_hub.errors import LocalTokenNotFoundError
from training_runs import same

from inftydiff.pipelines import InftyDiff, ModelCard


class Hub:
    """What the Hub's library does, on this disk."""

    def __init__(self, root: Path) -> None:
        self.root, self.calls = root, []

    def __call__(self, token: str | bool | None = None) -> "Hub":
        self.calls.append(("login", token))
        return self

    def create_repo(self, name: str, *, private: bool | None, exist_ok: bool) -> SimpleNamespace:
        self.calls.append(("repository", name, private, exist_ok))
        return SimpleNamespace(repo_id=name if "/" in name else f"me/{name}")

    def create_branch(self, name: str, *, branch: str, exist_ok: bool) -> None:
        self.calls.append(("branch", name, branch, exist_ok))

    def upload_folder(
        self,
        *,
        repo_id: str,
        folder_path: Path,
        revision: str | None,
        commit_message: str,
        allow_patterns: list[str],
    ) -> SimpleNamespace:
        self.calls.append(("commit", repo_id, revision, commit_message))
        (self.root / repo_id).mkdir(parents=True, exist_ok=True)
        for name in allow_patterns:
            shutil.copy(folder_path / name, self.root / repo_id / name)
        return SimpleNamespace(commit_url=f"https://huggingface.co/{repo_id}/commit/1")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    found = Hub(tmp_path)
    monkeypatch.setattr("huggingface_hub.HfApi", found)
    return found


def test_what_is_put_there_comes_back(hub):
    model = autoencoder().float()
    card = ModelCard("mine", license="mit")
    url = model.push_to_hub("someone/model", private=True, token="hf_…", card=card)
    assert url == "https://huggingface.co/someone/model/commit/1"
    assert hub.calls == [
        ("login", "hf_…"),
        ("repository", "someone/model", True, True),
        ("commit", "someone/model", None, "Upload the model"),
    ]
    there = hub.root / "someone" / "model"
    assert sorted(os.listdir(there)) == ["README.md", "config.json", "model.safetensors"]
    assert (
        (there / "README.md").read_text().startswith('---\nlibrary_name: inftydiff\nlicense: "mit"')
    )
    assert same(InftyDiff.from_pretrained(there), model)


def test_a_branch_of_one_s_own_repository_in_half_the_precision(hub):
    model = autoencoder().float()
    model.push_to_hub("model", branch="half", commit_message="Half", dtype=torch.bfloat16)
    assert hub.calls[1:] == [
        ("repository", "model", None, True),
        ("branch", "me/model", "half", True),
        ("commit", "me/model", "half", "Half"),
    ]
    loaded = InftyDiff.from_pretrained(hub.root / "me" / "model")
    for a, b in zip(loaded.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b.bfloat16().float())


def test_the_hub_s_refusal_is_one_error(hub, monkeypatch):
    def refuse(*args, **keywords):
        raise LocalTokenNotFoundError("log in first")

    monkeypatch.setattr(hub, "create_repo", refuse)
    with pytest.raises(ValueError, match="mine cannot be put on the Hugging Face Hub: log in fir"):
        autoencoder().push_to_hub("mine")


@pytest.mark.thorough
def test_the_library_is_imported_when_it_is_needed():
    code = (
        "import sys; from autoencoders import autoencoder\n"
        "assert 'huggingface_hub' not in sys.modules\n"
        "sys.modules['huggingface_hub'] = None\n"
        "try: autoencoder().push_to_hub('mine')\n"
        "except ModuleNotFoundError as error: print('inftydiff[train]' in str(error))"
    )
    places = os.pathsep.join([str(Path(__file__).parents[2]), str(Path(__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": places},
    )
    assert done.stdout.strip() == "True"
