"""``ffhq`` reads the published layouts; the first 60,000 pictures are to train on."""

import sys
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
from copies import colours, paint

from inftydiff.data import ffhq

NUMBERS = [0, 1, 999, 1000, 59_999, 60_000, 69_999]


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def copy(folder: Path, name: str, nested: bool = True) -> Path:
    thousand = [f"{number // 1000 * 1000:05d}/" if nested else "" for number in NUMBERS]
    paint(folder / name, [f"{t}{n:05d}.png" for t, n in zip(thousand, NUMBERS, strict=True)])
    return folder


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_the_splits_are_those_of_its_authors(tmp_path: Path, nested: bool, inside: bool):
    root = copy(tmp_path, "images1024x1024", nested)
    root = root / "images1024x1024" if inside else root
    red = [number % 256 for number in NUMBERS]
    expected = {"train": red[:5], "validation": red[5:], "all": red}
    for split, complete in (("train", 60_000), ("validation", 10_000), ("all", 70_000)):
        with pytest.warns(UserWarning, match=f"of the {complete} pictures of FFHQ"):
            images = ffhq(root, split, 2)
        assert colours(images) == expected[split]


def test_a_complete_copy_is_no_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["inftydiff.data.ffhq"], "SPLITS", {"all": NUMBERS})
    assert len(ffhq(copy(tmp_path, "thumbnails128x128"), "all", 2)) == len(NUMBERS)


@pytest.mark.filterwarnings("ignore:.* of the 60000 pictures of FFHQ")
def test_the_smallest_copy_that_is_large_enough_is_read(tmp_path: Path):
    copy(copy(copy(tmp_path, "images1024x1024"), "thumbnails128x128"), "images256x256")
    for resolution, folder in (
        (64, "thumbnails128x128"),
        (128, "thumbnails128x128"),
        ((256, 8), "images256x256"),
        (300, "images1024x1024"),
    ):
        assert Path(ffhq(tmp_path, "train", resolution).name(0)).parts[-3] == folder
    copy(tmp_path / "small", "thumbnails128x128")
    with pytest.raises(ValueError, match=r"256 pixels .* at 128 only\. .* images1024x1024"):
        ffhq(tmp_path / "small", "train", 256)


@pytest.mark.usefixtures("unchecked")
def test_what_is_expected_is_said(tmp_path: Path):
    with pytest.raises(ValueError, match="The splits are train, validation, all; got 'test'"):
        ffhq(tmp_path, "test")
    with pytest.raises(ValueError, match="is none"):
        ffhq(tmp_path / "absent")
    with pytest.raises(ValueError, match=r"Expected there: images1024x1024/00000/00000\.png"):
        ffhq(tmp_path)
    (tmp_path / "images1024x1024").mkdir()
    with pytest.raises(ValueError, match="holds no pictures of FFHQ"):
        ffhq(tmp_path)
