"""``inftydiff demo`` leaves two pictures; with ``--train``, a checkpoint that samples again."""

from itertools import chain

import numpy as np
import pytest
import torch
from PIL import Image

from inftydiff import DDIM, timesteps
from inftydiff.cli import main
from inftydiff.cli.drawing import draw
from inftydiff.cli.figures import Panel, save_figure, to_pixels
from inftydiff.pipelines import load_pipeline
from inftydiff.training import read_progress

SMALL = {
    "--preset": "tiny",
    "--resolution": "16",
    "--images": "32",
    "--batch-size": "8",
    "--steps": "2",
    "--minutes": "0.02",
}


def demo(folder, *words):
    return main(["demo", "--train", "--out", str(folder), *chain(*SMALL.items()), *words])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "demo"
    assert demo(folder, "--rows", "2", "--sizes", "8", "16") == 0
    return folder


@pytest.mark.thorough
def test_what_is_written(made):
    assert sorted(p.name for p in made.iterdir()) == ["checkpoint", "process.png", "samples.png"]
    for name in ("process.png", "samples.png"):
        pixels = np.asarray(Image.open(made / name).convert("RGB"))
        assert pixels.std() > 10
    assert read_progress(made / "checkpoint").step >= 1


@pytest.mark.thorough
def test_what_is_said(tmp_path, capsys):
    assert demo(tmp_path / "demo", "--rows", "1", "--sizes", "8", "12") == 0
    said = capsys.readouterr().out
    done = read_progress(tmp_path / "demo" / "checkpoint")
    assert f"Held-out loss  {done.held_out:.4f}" in said
    assert f"Steps          {done.step} in" in said
    for word in ("Parameters", "seconds each", "8²: ", "12²: ", "samples.png", "process.png"):
        assert word in said
    assert "Johan Melin" in said


def test_the_checkpoint_draws_the_picture_of_a_row_again(made):
    pipeline = load_pipeline(made / "checkpoint")
    times = timesteps(2)
    both = draw(pipeline, pipeline.grid(16), range(2), solver=DDIM(), times=times, title="")
    one = draw(pipeline, pipeline.grid(16), [1], solver=DDIM(), times=times, title="")
    assert torch.allclose(both[1:], one, atol=1e-5)
    sheet = np.asarray(Image.open(made / "samples.png").convert("RGB")).astype(int)
    expected = np.kron(to_pixels(one[0]), np.ones((16, 16, 1))).astype(int)
    found = [
        top
        for top in range(sheet.shape[0] - 255)
        for left in (150 + 262,)
        if np.abs(sheet[top : top + 256, left : left + 256] - expected).max() <= 2
    ]
    assert len(found) == 1


def test_stochastic_rules_give_a_seed_its_own_picture(made):
    pipeline = load_pipeline(made / "checkpoint")
    on, times, solver = pipeline.grid(8), timesteps(2), DDIM(1.0)
    both = draw(pipeline, on, [3, 4], solver=solver, times=times, title="")
    assert torch.equal(both[1:], draw(pipeline, on, [4], solver=solver, times=times, title=""))
    assert not torch.equal(both[0], both[1])


@pytest.mark.thorough
def test_an_earlier_demo_is_kept_unless_it_may_be_overwritten(made, capsys):
    kept = made / "mine.txt"
    kept.write_text("mine")
    before = {f: f.read_bytes() for f in made.rglob("*") if f.is_file()}
    assert demo(made) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert {f: f.read_bytes() for f in made.rglob("*") if f.is_file()} == before
    assert demo(made, "--overwrite", "--rows", "1", "--sizes", "8", "--seed", "3") == 0
    assert kept.read_text() == "mine"
    assert (made / "samples.png").read_bytes() != before[made / "samples.png"]
    kept.unlink()


def test_the_weights_in_the_package_are_sampled(tmp_path, capsys):
    out = tmp_path / "demo"
    words = ["--rows", "1", "--sizes", "8", "64", "--steps", "2", "--seed", "3"]
    assert main(["demo", "--out", str(out), *words]) == 0
    said = capsys.readouterr().out
    for word in ("faces-64", "parameters", "8², 64²: ", "Johan Melin"):
        assert word in said
    assert sorted(p.name for p in out.iterdir()) == ["process.png", "samples.png"]
    for name in ("process.png", "samples.png"):
        assert np.asarray(Image.open(out / name).convert("RGB")).std() > 10


def test_figures_show_pixels_as_they_are(tmp_path):
    g = torch.Generator().manual_seed(0)
    pictures = [[torch.rand(3, n, n, generator=g) * 2 - 1 for n in (4, 8)] for _ in range(2)]
    panel = Panel("A title", ["4", "8"], ["a", "b"], pictures)
    save_figure(tmp_path / "a.png", [panel], heading="heading", caption="caption", side=64)
    sheet = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    for picture in (p for row in pictures for p in row):
        block = np.kron(to_pixels(picture), np.ones((64 // picture.shape[1],) * 2 + (1,)))
        places = [
            (top, left)
            for top in range(sheet.shape[0] - 63)
            for left in (150, 150 + 70)
            if np.abs(sheet[top : top + 64, left : left + 64] - block).max() <= 1
        ]
        assert len(places) == 1


def test_colours_are_half_of_x_plus_one():
    values = torch.tensor([-3.0, -1.0, 0.0, 1.0, 2.0]).reshape(1, 1, 5)
    assert to_pixels(values)[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    with pytest.raises(ValueError, match="1 or 3 channels"):
        to_pixels(torch.zeros(2, 1, 1))
