"""A checkpoint is there whole or not at all; a file that is not what it should be is refused."""

import json
import os
import shutil

import pytest
import torch
from training_runs import held_out, run, same

from inftydiff.pipelines import latest, load_pipeline
from inftydiff.training import checkpoint, held_out_loss, read_progress


class PowerCut(BaseException):
    """The machine stops."""


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


@pytest.mark.thorough
@pytest.mark.parametrize("moment", ["save_file", "replace"])
@pytest.mark.parametrize("cleaned", [True, False])
def test_a_crash_while_writing_leaves_the_older_checkpoint(tmp_path, monkeypatch, moment, cleaned):
    folder = tmp_path / "run"
    three = run(folder, max_steps=3)
    intact = {f: f.read_bytes() for f in folder.rglob("step-*/*")}

    rename = os.replace

    def cut(source, target):
        if target.name.startswith("step-"):
            raise PowerCut
        rename(source, target)

    with monkeypatch.context() as patch:
        if moment == "save_file":
            write = checkpoint.save_file

            def half(tensors, path):
                write(tensors, path)
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
                raise PowerCut

            patch.setattr(checkpoint, "save_file", half)
        else:
            patch.setattr(os, "replace", cut)
        if not cleaned:  # what a machine that stops leaves behind
            patch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)
        with pytest.raises(PowerCut):
            run(folder, resume=True)

    partial = [path for path in folder.iterdir() if ".tmp-" in path.name]
    assert len(partial) == (0 if cleaned else 1)
    assert latest(folder).name == "step-00000003"
    assert all(f.read_bytes() == content for f, content in intact.items())
    assert same(load_pipeline(folder), three)
    resumed = run(folder, resume=True)
    assert same(resumed, run(tmp_path / "straight"))
    assert names(folder) == ["log.jsonl", "step-00000003", "step-00000006"]


def test_the_newest_are_kept(tmp_path):
    run(tmp_path, checkpoint_steps=1, keep=3)
    assert names(tmp_path) == ["log.jsonl", "step-00000004", "step-00000005", "step-00000006"]


def test_checkpoints_come_by_the_clock_too(tmp_path):
    run(tmp_path, checkpoint_minutes=1e-9)
    assert len(checkpoint.steps_in(tmp_path)) == 6


def test_nothing_is_pickled(tmp_path):
    run(tmp_path, max_steps=1)
    files = names(latest(tmp_path))
    assert files == ["config.json", "model.safetensors", "training.safetensors"]
    for name in files[1:]:
        header = (latest(tmp_path) / name).read_bytes()
        length = int.from_bytes(header[:8], "little")
        assert json.loads(header[8 : 8 + length])


def test_a_run_folder_and_a_checkpoint_are_read_alike(tmp_path):
    run(tmp_path, max_steps=2, checkpoint_steps=1)
    assert latest(tmp_path) == tmp_path / "step-00000002"
    assert same(load_pipeline(tmp_path), load_pipeline(tmp_path / "step-00000002"))
    assert read_progress(tmp_path / "step-00000001").step == 1


def test_progress_tells_the_losses(tmp_path):
    pipeline = run(tmp_path)
    done = read_progress(tmp_path)
    assert done.seconds > 0.0
    assert done.loss is not None
    assert done.held_out == pytest.approx(held_out_loss(pipeline, held_out()), rel=1e-6)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [6]
    assert log[-1]["held_out"] == done.held_out


def damage(file, how):
    if how == "missing":
        file.unlink()
    elif how == "cut":
        file.write_bytes(file.read_bytes()[:100])
    elif how == "empty":
        file.write_bytes(b"")


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["missing", "cut", "empty"])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "training.safetensors"])
def test_a_damaged_file_is_named(tmp_path, name, how):
    run(tmp_path, max_steps=1)
    damage(tmp_path / "step-00000001" / name, how)
    with pytest.raises(ValueError, match=name):
        run(tmp_path, resume=True)
    if name == "training.safetensors":
        load_pipeline(tmp_path)
    else:
        with pytest.raises(ValueError, match=name):
            load_pipeline(tmp_path)


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["missing", "cut", "changed"])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "training.safetensors"])
def test_a_damaged_checkpoint_can_be_stepped_around(tmp_path, name, how):
    folder = tmp_path / "run"
    run(folder, max_steps=4, checkpoint_steps=2)
    newest = folder / "step-00000004"
    if how == "changed":
        content = bytearray((newest / name).read_bytes())
        content[-5] ^= 1
        (newest / name).write_bytes(content)
    else:
        damage(newest / name, how)
    advice = f"Restore it, or remove .*{newest.name} to resume from step-00000002"
    with pytest.raises(ValueError, match=f"{name} .*{advice}"):
        run(folder, resume=True)
    shutil.rmtree(newest)
    assert same(run(folder, resume=True), run(tmp_path / "straight"))
    damage(folder / "step-00000002" / name, "cut")
    shutil.rmtree(folder / "step-00000006")
    with pytest.raises(ValueError, match="Restore it; there is no checkpoint before it"):
        run(folder, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "version is 99"),
        ({"training": {"lerning_rate": 1}}, "'lerning_rate'; the nearest is 'learning_rate'"),
        ({"pipeline": {"version": 1, "proces": "white"}}, "'proces'; the nearest is 'process'"),
        ({"progress": 3}, "read from a mapping"),
    ],
)
def test_settings_that_are_not_known_are_refused(tmp_path, change, message):
    run(tmp_path, max_steps=1)
    file = tmp_path / "step-00000001" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        read_progress(tmp_path)


def test_weights_of_another_model_are_refused(tmp_path):
    run(tmp_path, max_steps=1)
    file = tmp_path / "step-00000001" / "config.json"
    record = json.loads(file.read_text())
    record["pipeline"]["network"]["width"] = 12
    file.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="does not hold the weights of this model"):
        load_pipeline(tmp_path)


def test_a_folder_without_checkpoints_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        load_pipeline(tmp_path / "nothing")
    with pytest.raises(ValueError, match="holds no checkpoint"):
        load_pipeline(tmp_path)
    run(tmp_path / "inner", max_steps=1)
    with pytest.raises(ValueError, match="There is one in .*inner"):
        load_pipeline(tmp_path)


def test_weights_are_float32_and_on_the_disk_once(tmp_path):
    pipeline = run(tmp_path, max_steps=1)
    size = (tmp_path / "step-00000001" / "model.safetensors").stat().st_size
    weights = sum(w.numel() for w in pipeline.parameters())
    assert 4 * weights <= size < 4 * weights + 200 * len(list(pipeline.parameters()))
    assert all(w.dtype == torch.float32 for w in pipeline.parameters())


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors"])
def test_a_changed_file_is_named(tmp_path, name):
    run(tmp_path, max_steps=1)
    file = tmp_path / "step-00000001" / name
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is not the file that was written"):
        run(tmp_path, resume=True)
    record = json.loads((file.parent / "config.json").read_text())
    del record["digests"]  # a checkpoint that has none is read as it is
    (file.parent / "config.json").write_text(json.dumps(record))
    load_pipeline(tmp_path)


class Trap:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize("name", ["weights.pt", "pytorch_model.bin", "MODEL.PKL"])
def test_a_pickle_is_refused_by_name(tmp_path, capsys, name):
    file = tmp_path / name
    torch.save(Trap(), file)
    for path in (file, tmp_path):
        with pytest.raises(
            ValueError, match=f"{name} (would be read by pickle|is a pickle by its name)"
        ):
            load_pipeline(path)
    run(tmp_path / "run", max_steps=1)
    inside = tmp_path / "run" / "step-00000001"
    (inside / "model.safetensors").unlink()
    shutil.copy(file, inside / name)
    with pytest.raises(ValueError, match=f"{name} beside it is a pickle, and is not read"):
        load_pipeline(inside)
    shutil.copy(file, inside / "model.safetensors")
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        load_pipeline(inside)
    assert capsys.readouterr().out == ""


def test_other_files_are_no_checkpoints(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="notes.txt is a file; give the folder"):
        load_pipeline(tmp_path / "notes.txt")
