"""``celeba_hq`` reads the published layouts, and its splits are those of CelebA."""

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
from copies import paint

from inftydiff.data import LazyImages, celeba_hq

ORIGINALS = [119_613, 99_094, 162_769, 162_770, 182_636, 182_637, 202_598, 0]
"""CelebA's number less one of pictures 0 to 7."""

SPLITS = {"train": [0, 1, 2, 7], "validation": [3, 4], "test": [5, 6]}


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def write_mapping(folder: Path) -> None:
    rows = [f"{i:<10} {o:<10} {o + 1:06d}.jpg" for i, o in enumerate(ORIGINALS)]
    text = "\n".join(["idx        orig_idx   orig_file", *rows, ""])
    (folder / "CelebA-HQ-to-CelebA-mapping.txt").write_text(text)


def mask_copy(folder: Path) -> Path:
    """CelebAMask-HQ as it is unpacked."""
    paint(folder / "CelebAMask-HQ" / "CelebA-HQ-img", [f"{number}.jpg" for number in range(8)])
    write_mapping(folder / "CelebAMask-HQ")
    return folder


def resized_copy(folder: Path) -> Path:
    """The resized pictures, which are numbered from one."""
    paint(folder / "data256x256", [f"{number:05d}.jpg" for number in range(1, 9)])
    write_mapping(folder)
    return folder


def numbers(images: LazyImages) -> list[int]:
    return [int(Path(images.name(index)).stem) for index in range(len(images))]


@pytest.mark.parametrize("split", list(SPLITS))
def test_the_splits_are_those_of_celeba(tmp_path: Path, split):
    root = mask_copy(tmp_path)
    for folder in (root, root / "CelebAMask-HQ", root / "CelebAMask-HQ" / "CelebA-HQ-img"):
        images = celeba_hq(folder, split, 2)
        assert numbers(images) == SPLITS[split]
        assert images[0].shape == (3, 2, 2)


def test_resized_pictures_are_numbered_from_one(tmp_path: Path):
    root = resized_copy(tmp_path)
    for folder in (root, root / "data256x256"):
        assert numbers(celeba_hq(folder, "validation", 2)) == [4, 5]
    paint(tmp_path / "data256x256", ["00000.jpg"])
    assert numbers(celeba_hq(root, "validation", 2)) == [3, 4]


def test_the_list_of_celeba_is_read_if_it_is_there(tmp_path: Path):
    rows = [f"{o + 1:06d}.jpg {2 * (i == 0)}" for i, o in enumerate(ORIGINALS)]
    file = mask_copy(tmp_path) / "list_eval_partition.txt"
    file.write_text("\n".join(rows))
    assert numbers(celeba_hq(tmp_path, "test", 2)) == [0]
    file.write_text("\n".join(rows[:-1]))
    with pytest.raises(ValueError, match=r"partition\.txt lacks 000001\.jpg"):
        celeba_hq(tmp_path, "test", 2)
    file.write_text("\n".join([*rows, "000009.jpg 3"]))
    with pytest.raises(ValueError, match="is not the list that is published"):
        celeba_hq(tmp_path, "test", 2)


def test_all_pictures_need_no_list(tmp_path: Path):
    root = paint(tmp_path, [f"data128x128/{number:05d}.png" for number in range(1, 13)])
    with pytest.warns(UserWarning, match="12 of the 30000 pictures of CelebA-HQ"):
        assert numbers(celeba_hq(root, "all", 2)) == list(range(1, 13))
    with pytest.raises(ValueError, match=r"need CelebA-HQ-to-CelebA-mapping\.txt"):
        celeba_hq(root, "train", 2)


def test_an_incomplete_copy_is_pointed_out(tmp_path: Path):
    mask_copy(tmp_path)
    (tmp_path / "CelebAMask-HQ" / "CelebA-HQ-img" / "3.jpg").unlink()
    with pytest.warns(UserWarning, match="1 of the 2 pictures of CelebA-HQ's split 'validation'"):
        assert numbers(celeba_hq(tmp_path, "validation", 2)) == [4]
    (tmp_path / "CelebAMask-HQ" / "CelebA-HQ-img" / "4.jpg").unlink()
    with pytest.raises(ValueError, match="holds none of the 2 pictures"):
        celeba_hq(tmp_path, "validation", 2)


def test_the_smallest_copy_that_is_large_enough_is_read(tmp_path: Path):
    resized_copy(mask_copy(tmp_path))
    for resolution, folder in ((256, "data256x256"), ((16, 257), "CelebA-HQ-img")):
        images = celeba_hq(tmp_path, "train", resolution)
        assert Path(images.name(0)).parent.name == folder
    with pytest.raises(ValueError, match="2048 pixels a side .* at 256, 1024 only"):
        celeba_hq(tmp_path, "train", 2048)


def test_a_damaged_picture_is_skipped_if_asked(tmp_path: Path):
    mask_copy(tmp_path)
    (tmp_path / "CelebAMask-HQ" / "CelebA-HQ-img" / "3.jpg").write_text("no picture")
    with pytest.raises(ValueError, match=r"3\.jpg cannot be read"):
        celeba_hq(tmp_path, "validation", 2)[0]
    with pytest.warns(UserWarning, match="stands in"):
        celeba_hq(tmp_path, "validation", 2, on_error="skip")[0]


@pytest.mark.usefixtures("unchecked")
def test_what_is_expected_is_said(tmp_path: Path):
    with pytest.raises(ValueError, match="The splits are train, validation, test, all; got 'val'"):
        celeba_hq(tmp_path, "val")
    with pytest.raises(ValueError, match="is none"):
        celeba_hq(tmp_path / "absent")
    with pytest.raises(ValueError, match=r"Expected there: CelebA-HQ-img/0\.jpg .* data256x256"):
        celeba_hq(tmp_path)
    (tmp_path / "data256x256").mkdir()
    with pytest.raises(ValueError, match="holds no pictures of CelebA-HQ"):
        celeba_hq(tmp_path)
    for name in ("a/00001.jpg", "b/1.png"):
        paint(tmp_path / "data256x256", [name])
    with pytest.raises(ValueError, match=r"picture 1 .* twice, as a/00001\.jpg and b/1\.png"):
        celeba_hq(tmp_path, "all")
