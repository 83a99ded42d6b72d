"""Nothing that a link in a run folder leads to is changed, and nothing in the way ends a run."""

import json
import os
import shutil

import pytest
from torch.utils.data import ConcatDataset, Dataset
from training_runs import pictures, run, same

from inftydiff.pipelines import latest, load_pipeline
from inftydiff.training import _folders as run_folders

WRITTEN = [".lock", "log.jsonl", "steps.jsonl", "samples", "tensorboard"]


@pytest.fixture
def canary(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "canary").write_text('{"step": 99}\n')
    return folder


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.thorough
@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("resume", [True, False])
def test_a_link_where_a_run_writes_is_refused(tmp_path, canary, name, resume):
    out, before = tmp_path / "run", content(canary)
    if resume:
        run(out, max_steps=1)
        if (out / name).exists():
            (out / name).unlink()
    out.mkdir(exist_ok=True)
    (out / name).symlink_to(canary if "." not in name else canary / "canary")
    with pytest.raises(ValueError, match=f"{name} is a link, and a run follows none"):
        run(out, resume=resume, log_every=1, sample_every=1)
    assert content(canary) == before


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["log.jsonl", "steps.jsonl"])
def test_another_name_of_a_log_keeps_its_content(tmp_path, canary, name):
    run(tmp_path / "run", max_steps=1, log_every=1)
    (tmp_path / "run" / name).unlink()
    os.link(canary / "canary", tmp_path / "run" / name)
    before = content(canary)
    run(tmp_path / "run", resume=True, log_every=1)
    assert content(canary) == before
    assert (tmp_path / "run" / name).read_text()


def test_lines_of_no_run_stay(tmp_path):
    run(tmp_path, max_steps=1)
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write("a note\n[1]\n")
    run(tmp_path, resume=True)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert lines[1:3] == ["a note", "[1]"]
    assert [json.loads(line)["step"] for line in lines if "step" in line] == [1, 6]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["link", "file", "full folder", "unremovable"])
def test_pruning_leaves_what_is_no_checkpoint(tmp_path, canary, monkeypatch, kind):
    out, before = tmp_path / "run", content(canary)
    out.mkdir()
    place = out / "step-00000000"
    if kind == "link":
        place.symlink_to(canary)
    elif kind == "file":
        place.write_text("mine")
    elif kind == "full folder":
        (out / "step-mine").mkdir()
        (out / "step-mine" / "link").symlink_to(canary)
    else:
        monkeypatch.setattr(
            run_folders.shutil, "rmtree", lambda *args, ignore_errors=False, **kwargs: None
        )
    run(out, checkpoint_steps=1, keep=1)
    assert latest(out).name == "step-00000006"
    assert content(canary) == before
    assert place.is_symlink() == (kind == "link")
    assert place.is_file() == (kind == "file")


def test_a_link_among_checkpoints_is_none(tmp_path, canary):
    done = run(tmp_path / "run")
    (tmp_path / "run" / "step-00000099").symlink_to(canary)
    assert latest(tmp_path / "run").name == "step-00000006"
    assert same(load_pipeline(tmp_path / "run"), done)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "training.safetensors"])
def test_a_checkpoint_is_not_read_through_a_link(tmp_path, name):
    run(tmp_path / "run", max_steps=1)
    file = tmp_path / "run" / "step-00000001" / name
    shutil.move(file, tmp_path / name)
    file.symlink_to(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} is a link .* outside"):
        run(tmp_path / "run", resume=True)
    if name != "training.safetensors":
        with pytest.raises(ValueError, match=f"{name} is a link .* outside"):
            load_pipeline(tmp_path / "run")


def test_only_what_a_run_left_unfinished_is_removed(tmp_path, canary):
    run(tmp_path / "run", max_steps=1)
    for name in (".tmp-0123abcd", "step-00000002.tmp-0123abcd", ".tmp-mine", "step-1.tmp-mine"):
        (tmp_path / "run" / name).mkdir()
    (tmp_path / "run" / ".tmp-89abcdef").symlink_to(canary)
    run(tmp_path / "run", resume=True)
    left = {path.name for path in (tmp_path / "run").iterdir() if "tmp" in path.name}
    assert left == {".tmp-mine", "step-1.tmp-mine", ".tmp-89abcdef"}
    assert content(canary)


def test_a_run_that_ended_before_its_first_checkpoint_is_resumed(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("inftydiff.training.checkpoint.save_file", full)
        with pytest.raises(OSError, match=r"No space left.* There is none before it; make room"):
            run(tmp_path / "run")
    with pytest.raises(ValueError, match="its run ended before the first. Resume the run"):
        load_pipeline(tmp_path / "run")
    assert same(run(tmp_path / "run", resume=True), run(tmp_path / "straight"))


def test_there_is_nothing_to_resume_where_no_run_has_begun(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ValueError, match="holds no checkpoint"):
        run(tmp_path, resume=True)


class Damaged(Dataset):
    """Pictures of which one cannot be read after a time."""

    def __init__(self, after, error):
        self.pictures, self.after, self.error, self.read = pictures(), after, error, 0

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        self.read += 1
        if self.read > self.after:
            raise self.error
        return self.pictures[index]


@pytest.mark.thorough
@pytest.mark.parametrize("error", [OSError("a.npy is cut off at picture 3"), ValueError("b")])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_cannot_be_read_is_told_after_a_checkpoint(tmp_path, error, workers):
    with pytest.raises(
        ValueError, match=rf"^Item \d+ of the data cannot be read: {error}\. .*step"
    ):
        run(tmp_path, data=Damaged(18, error), workers=workers, checkpoint_steps=100)
    done = int(latest(tmp_path).name.removeprefix("step-"))
    assert 1 <= done < 6
    assert same(run(tmp_path, resume=True), run(tmp_path / "straight"))


def test_a_picture_of_another_shape_is_told(tmp_path):
    data = ConcatDataset([pictures(), pictures(4, shape=(8, 16))])
    with pytest.raises(ValueError, match=r"Item 1\d .* shape \(3, 8, 16\), and the first has"):
        run(tmp_path, data=data)
