"""Tasks from the command line: pictures completed, made finer and varied, and bad input refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from inftydiff.cli import main
from inftydiff.cli.inpaint import box_mask

FEW = ["--steps", "2", "--samples", "2"]


@pytest.fixture(scope="module")
def photograph(tmp_path_factory) -> str:
    """A picture of 20 rows and 24 columns."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    file = tmp_path_factory.mktemp("pictures") / "mine.png"
    Image.fromarray(pixels).save(file)
    return str(file)


def run(capsys, *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out


def refused(capsys, match: str, *words: str) -> None:
    assert main(list(words)) == 2
    said = capsys.readouterr().err.strip()
    assert match in said
    assert said.count("\n") == 0


def size_of(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        return image.size


def test_faces_are_made_finer_and_compared(model, tmp_path, capsys):
    words = ["--count", "2", "--taken-at", "8", "--size", "16", "--out", str(tmp_path / "out")]
    printed = run(capsys, "super-resolve", model, "faces", *words, *FEW)
    assert "rms error: bicubic" in printed
    assert "rms error: mean" in printed
    assert size_of(tmp_path / "out" / "0003.png") == (16, 16)
    assert (tmp_path / "out" / "answer.png").stat().st_size > 1000


def test_a_photograph_is_completed_and_what_is_known_is_kept(model, photograph, tmp_path, capsys):
    with Image.open(photograph) as picture:
        pixels = np.asarray(picture)
    mask = np.zeros((20, 24), dtype=np.uint8)
    mask[5:12, 8:14] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    out = tmp_path / "out"
    words = ["--mask", str(tmp_path / "mask.png"), "--taken-at", "20", "--out", str(out), *FEW]
    run(capsys, "inpaint", model, photograph, *words)
    cropped, hidden = pixels[:, 2:22], mask[:, 2:22] > 0
    with Image.open(out / "0001.png") as picture:
        found = np.asarray(picture)
    assert found.shape == (20, 20, 3)
    assert np.abs(found.astype(int) - cropped)[~hidden].max() <= 1
    assert (found != cropped)[hidden].mean() > 0.5


def test_a_box_is_hidden_at_a_finer_size(model, photograph, tmp_path, capsys):
    words = ["--box", "0.25", "0.25", "0.75", "0.75", "--taken-at", "8", "--size", "16"]
    more = ["--start-time", "0.7", "--latent", "prior", "--rounds", "2", "--out", str(tmp_path)]
    printed = run(capsys, "inpaint", model, photograph, *words, *more, *FEW)
    assert "2 samples of each of 1 pictures, 16 × 16" in printed


def test_pictures_are_varied(model, photograph, tmp_path, capsys):
    words = ["--taken-at", "8", "--start-time", "0.5", "--out", str(tmp_path)]
    run(capsys, "vary", model, photograph, *words, *FEW)
    assert size_of(tmp_path / "0001.png") == (8, 8)


def test_an_array_is_averaged_and_answered_in_numbers(model, tmp_path, capsys):
    pictures = np.random.default_rng(0).uniform(-1, 1, (3, 3, 12, 12)).astype(np.float32)
    np.save(tmp_path / "mine.npy", pictures.transpose(0, 2, 3, 1))
    words = ["--layout", "nhwc", "--count", "2", "--taken-at", "8", "--box", "0", "0", "0.5", "0.5"]
    more = ["--tile", "9", "--out", str(tmp_path / "out")]
    run(capsys, "inpaint", model, str(tmp_path / "mine.npy"), *words, *more, *FEW)
    with np.load(tmp_path / "out" / "answer.npz") as found:
        samples, mean, spread = (found[name] for name in ("samples", "mean", "spread"))
    assert samples.shape == (2, 2, 3, 8, 8)
    fine = pictures[:2].repeat(2, -1).repeat(2, -2)  # 24², of which 3² are a pixel of 8²
    expected = fine.reshape(2, 3, 8, 3, 8, 3).mean((3, 5))
    assert np.allclose(samples[:, 0, :, 4:], expected[:, :, 4:], atol=1e-5)
    assert np.allclose(mean, samples.mean(1), atol=1e-6)
    assert np.allclose(spread, samples.std(1, ddof=1), atol=1e-6)


def test_bad_input_is_one_line(model, photograph, tmp_path, capsys):
    def bad(match: str, command: str, *words: str) -> None:
        refused(capsys, match, command, model, photograph, *words, "--out", str(tmp_path / "out"))

    for name, shape, value in (("other", (5, 7), 255), ("all", (20, 24), 255), ("no", (20, 24), 0)):
        Image.fromarray(np.full(shape, value, dtype=np.uint8)).save(tmp_path / f"{name}.png")
    box = ["--box", "0", "0", "0.5", "0.5"]
    bad("Say what is hidden", "inpaint")
    bad("Say what is hidden", "inpaint", *box, "--mask", str(tmp_path / "no.png"))
    bad("as many pixels as the pictures", "inpaint", "--mask", str(tmp_path / "other.png"))
    bad("hides everything", "inpaint", "--mask", str(tmp_path / "all.png"))
    bad("Nothing is hidden", "inpaint", "--mask", str(tmp_path / "no.png"))
    bad("is no file", "inpaint", "--mask", str(tmp_path / "nowhere.png"))
    bad("--box takes", "inpaint", "--box", "0.5", "0", "0.2", "1")
    bad("--start-time lies", "inpaint", *box, "--start-time", "0")
    bad("--start-time lies", "vary", "--start-time", "1.5")
    bad("noise_std", "inpaint", *box, "--noise-std", "0", "--taken-at", "8")
    bad("--strength belongs", "inpaint", *box, "--strength", "3")
    bad("is no finer", "super-resolve", "--size", "32", "--taken-at", "32")
    bad("--samples", "vary", "--samples", "0")
    guide = ["--guide", "reconstruction", "--tile", "8", "--taken-at", "8"]
    bad("ReconstructionGuidance differentiates", "inpaint", *box, *guide)
    refused(capsys, "nor an image file", "vary", model, "nowhere.png")
    assert not (tmp_path / "out").exists()


def test_guidance_that_is_too_strong_says_what_to_try(model, photograph, tmp_path, capsys):
    words = ["--box", "0", "0", "0.5", "0.5", "--guide", "reconstruction", "--strength", "1e9"]
    out = ["--taken-at", "8", "--out", str(tmp_path / "out")]
    refused(capsys, "Try strength=", "inpaint", model, photograph, *words, *out, *FEW)


def test_a_box_of_whole_cells_covers_these():
    known = box_mask((0.25, 0.25, 0.75, 0.75), (8, 4))
    assert int((~known).sum()) == 4 * 2
    assert torch.equal(known, known.flip(0, 1))
