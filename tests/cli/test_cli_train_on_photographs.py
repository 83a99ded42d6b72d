"""``inftydiff train --data FOLDER`` trains on photographs of mixed shapes, and keeps theirs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from inftydiff.cli import main
from inftydiff.pipelines import load_pipeline

QUICK = ["--preset", "tiny", "--max-steps", "2", "--minutes", "None", "--precision", "float32"]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Twenty: most of them 2:3 at several sizes; upright, square, grey and transparent ones."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    wide = [data.chelsea(), data.coffee(), data.rocket()]
    found = [*wide, *(picture[:, ::-1] for picture in wide), *(picture[::-1] for picture in wide)]
    found += [picture[: 2 * n, : 3 * n] for picture in wide for n in (60, 90)]
    found += [picture.swapaxes(0, 1) for picture in wide[:2]]
    found += [data.astronaut(), data.camera(), data.logo()]
    assert len(found) == 20
    for number, picture in enumerate(found):
        Image.fromarray(np.ascontiguousarray(picture)).save(folder / f"{number:02d}.png")
    return folder


def test_rectangles_are_trained_on_and_drawn(tmp_path: Path, photographs: Path):
    run = str(tmp_path / "run")
    assert main(["train", "--data", str(photographs), "--out", run, *QUICK]) == 0
    pipeline = load_pipeline(run)
    assert pipeline.config.channels == 3
    assert pipeline.config.domain.lengths == (43 / 64, 1.0)
    words = ["--size", "48", "--count", "1", "--steps", "1", "--out", str(tmp_path / "out")]
    assert main(["sample", run, *words]) == 0
    with Image.open(tmp_path / "out" / "0000.png") as picture:
        assert picture.size == (48, round(48 * 43 / 64))
