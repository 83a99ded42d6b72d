"""``inftydiff train FOLDER`` trains on the same pictures whether they are in memory or not."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import pictures, same

from inftydiff.cli import main, sources
from inftydiff.cli.figures import to_pixels
from inftydiff.cli.sources import ArraySource, FolderSource
from inftydiff.data import Images
from inftydiff.pipelines import load_pipeline

SETTINGS = {
    "--preset": "tiny",
    "--batch-size": "4",
    "--held-out": "4",
    "--minutes": "None",
    "--max-steps": "2",
    "--precision": "float32",
    "--resolution": "12",
}


def train(data: Path, out: Path, *words: str) -> int:
    return main(["train", str(data), "--out", str(out), *chain(*SETTINGS.items()), *words])


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, picture in enumerate(pictures(shape=(20, 30))):
        Image.fromarray(to_pixels(picture)).save(folder / f"{number:02d}.png")
    Image.new("RGB", (20, 30)).save(folder / "upright.png")
    return folder


def test_lazy_and_eager_runs_agree(tmp_path: Path, photographs: Path):
    words = ("--channels", "1")
    assert train(photographs, tmp_path / "eager", *words) == 0
    assert train(photographs, tmp_path / "lazy", *words, "--lazy") == 0
    eager, lazy = load_pipeline(tmp_path / "eager"), load_pipeline(tmp_path / "lazy")
    assert same(eager, lazy)
    assert lazy.config.channels == 1
    assert lazy.config.domain.lengths == (8 / 12, 1.0)


def test_splits_agree(tmp_path: Path, photographs: Path):
    np.save(tmp_path / "x.npy", pictures().pixels.numpy())
    for eager, lazy in (
        (
            FolderSource(photographs, 5, (6, 8), 3),
            FolderSource(photographs, 5, (6, 8), 3, lazy=True),
        ),
        (
            ArraySource.read(tmp_path / "x.npy", "nchw", 5, 3),
            ArraySource.read(tmp_path / "x.npy", "nchw", 5, 3, lazy=True),
        ),
    ):
        assert eager.shape == lazy.shape
        for one, other in zip(eager.load(), lazy.load(), strict=True):
            assert torch.equal(torch.stack(list(one)), torch.stack(list(other)))
            assert one[0].shape == eager.shape


def test_large_sources_are_lazy(tmp_path: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch):
    np.save(tmp_path / "x.npy", pictures().pixels.numpy())
    for limit, eager in ((15 * 3 * 6 * 8, True), (15 * 3 * 6 * 8 - 1, False)):
        monkeypatch.setattr(sources, "LAZY_BYTES", limit)
        data, held_out = FolderSource(photographs, 5, (6, 8), 3).load()
        assert isinstance(data, Images) == eager
        assert isinstance(held_out, Images)
    size = (tmp_path / "x.npy").stat().st_size
    for limit, eager in ((size, True), (size - 1, False)):
        monkeypatch.setattr(sources, "LAZY_BYTES", limit)
        pictures_read = ArraySource.read(tmp_path / "x.npy", "nchw", 5, 3).pictures
        assert isinstance(pictures_read, Images) == eager


@pytest.mark.thorough
@pytest.mark.parametrize("words", [(), ("--lazy",), ("--no-keep-proportions",)])
def test_damaged_files_are_named_or_left_out(tmp_path: Path, photographs: Path, capsys, words):
    (photographs / "03.png").write_text("no picture")
    assert train(photographs, tmp_path / "run", *words) == 2
    assert "03.png" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    with pytest.warns(UserWarning, match=r"1 of 15 files cannot be read: .*03\.png"):
        assert train(photographs, tmp_path / "run", *words, "--on-error", "skip") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--resolution", "0"), "longest must be"),
        (("--resolution", "0", "8"), "rows must be"),
        (("--held-out", "15"), "1 to 14 can be held out"),
        (("--held-out", "15", "--lazy"), "1 to 14 can be held out"),
        (("--domain.lengths", "0.1", "1"), "domain has the sides (0.1, 1.0)"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, photographs: Path, capsys, words, message):
    assert train(photographs, tmp_path / "run", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "shape"),
    [
        (("12",), (8, 12)),
        (("12", "--no-keep-proportions"), (12, 12)),
        (("9", "11"), (9, 11)),
        (("9", "11", "--no-keep-proportions"), (9, 11)),
    ],
)
def test_proportions_are_kept_unless_said_otherwise(
    tmp_path: Path, photographs: Path, words, shape
):
    longest = max(shape)
    assert train(photographs, tmp_path / "run", "--resolution", *words) == 0
    pipeline = load_pipeline(tmp_path / "run")
    assert pipeline.config.domain.lengths == tuple(side / longest for side in shape)
    assert pipeline.grid(longest).shape == shape


@pytest.mark.parametrize(("count", "held_out"), [(2, 1), (9, 1), (20, 2), (1279, 127), (2000, 128)])
def test_a_tenth_is_held_out_by_default(count: int, held_out: int):
    images = Images(torch.zeros(count, 1, 2, 2, dtype=torch.uint8))
    train, others = ArraySource(images, None, 0).load()
    assert (len(train), len(others)) == (count - held_out, held_out)


def test_one_picture_is_not_enough():
    with pytest.raises(ValueError, match="others are trained on; got 1 in all"):
        ArraySource(Images(torch.zeros(1, 1, 2, 2, dtype=torch.uint8)), None, 0).load()


def test_faces_are_not_lazy(tmp_path: Path, capsys):
    assert main(["train", "faces", "--lazy", "--out", str(tmp_path / "run")]) == 2
    assert "--lazy is for folders" in capsys.readouterr().err
