"""``ImageFolder`` gives what ``image_folder`` gives, picture by picture and in any process."""

import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from inftydiff.data import ImageFolder, image_folder


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def write(folder: Path, sizes: list[tuple[int, int]], suffix: str = "png") -> Path:
    """Random pictures of the given heights and widths."""
    generator = np.random.default_rng(0)
    for number, (height, width) in enumerate(sizes):
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.{suffix}")
    return folder


def lazily(folder: Path, *resolution, **options) -> ImageFolder:
    return ImageFolder(folder, *resolution, progress=False, **options)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=4),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    channels=st.sampled_from([1, 3]),
)
def test_the_pictures_are_those_of_image_folder(
    tmp_path_factory: pytest.TempPathFactory, sizes, shape, channels
):
    folder = write(tmp_path_factory.mktemp("pictures"), sizes)
    lazy = lazily(folder, shape, channels=channels)
    held = image_folder(folder, shape, channels=channels, progress=False)
    assert lazy.shape == (channels, *shape)
    assert torch.equal(torch.stack(list(lazy)), torch.stack(list(held)))
    assert torch.equal(lazy.pictures.in_memory().pixels, held.pixels)


def test_workers_give_the_same(tmp_path: Path):
    lazy = lazily(write(tmp_path, [(9, 12)] * 7), 4)
    alone = torch.cat(list(DataLoader(lazy, batch_size=3)))
    for count, context in ((2, "fork"), (1, "spawn")):
        loader = DataLoader(lazy, batch_size=3, num_workers=count, multiprocessing_context=context)
        assert torch.equal(torch.cat(list(loader)), alone)
    assert torch.equal(pickle.loads(pickle.dumps(lazy))[5], lazy[5])


def test_indices_are_those_of_a_sequence(tmp_path: Path):
    lazy = lazily(write(tmp_path, [(4, 4)] * 3), 2)
    assert torch.equal(lazy[-1], lazy[2])
    for index in (3, -4):
        with pytest.raises(IndexError, match="There are 3 pictures"):
            lazy[index]


def test_a_selection_keeps_its_order(tmp_path: Path):
    lazy = lazily(write(tmp_path, [(4, 4)] * 4), 2)
    part = lazy.select([3, 0, -2])
    assert torch.equal(torch.stack(list(part)), torch.stack([lazy[3], lazy[0], lazy[2]]))
    assert torch.equal(part.select([1])[0], lazy[0])
    assert part.name(0) == str(tmp_path / lazy.files[3])
    with pytest.raises(ValueError, match="at least one; got none"):
        lazy.select([])
    with pytest.raises(IndexError):
        lazy.select([4])


def test_the_commonest_proportions_are_kept(tmp_path: Path):
    folder = write(tmp_path, [(40, 40), (20, 30), (41, 61), (30, 20), (10, 15)])
    assert lazily(folder, longest=12).shape == (3, 8, 12)
    assert torch.equal(lazily(folder, longest=12)[0], lazily(folder, (8, 12))[0])
    assert lazily(write(tmp_path, [(4, 8), (8, 4)] * 3), longest=4).shape == (3, 2, 4)
    assert lazily(write(tmp_path, [(1, 999)] * 6), longest=4, check=False).shape == (3, 1, 4)


def test_proportions_are_those_of_the_upright_picture(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    for suffix in ("jpg", "png", "webp"):
        folder = tmp_path / suffix
        folder.mkdir()
        Image.new("RGB", (30, 20)).save(folder / f"x.{suffix}", exif=exif)
        assert lazily(folder, longest=12).shape == (3, 12, 8)


def test_other_proportions_can_be_refused(tmp_path: Path):
    folder = write(tmp_path, [(20, 30), (20, 30), (30, 20), (21, 30)])
    with pytest.raises(ValueError, match="2 of 4 have other proportions") as caught:
        lazily(folder, longest=30, others="raise")
    assert "2.png" in str(caught.value)
    assert "3.png" in str(caught.value)
    assert len(lazily(folder, longest=3, others="raise", pattern="[013].png")) == 3


def test_grey_is_luma_and_grey_files_are_kept(tmp_path: Path):
    Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).save(tmp_path / "a.png")
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "b.png")
    Image.new("LA", (4, 4), (0, 0)).save(tmp_path / "c.png")
    grey = lazily(tmp_path, 4, channels=1).pictures.in_memory().pixels
    assert torch.equal(grey[0, 0], torch.arange(16, dtype=torch.uint8).reshape(4, 4))
    assert (grey[1] == round(0.299 * 255)).all()
    assert (grey[2] == 255).all()
    colours = lazily(tmp_path, 4).pictures.in_memory().pixels
    assert torch.equal(colours[0], grey[0].expand(3, 4, 4))


def cut(file: Path, part: float) -> None:
    """Keep the first part of a file."""
    content = file.read_bytes()
    file.write_bytes(content[: int(part * len(content))])


def test_damage_is_found_when_the_folder_is_opened(tmp_path: Path):
    write(tmp_path, [(8, 8)] * 5)
    cut(tmp_path / "1.png", 0.7)
    (tmp_path / "3.png").write_text("no picture")
    Image.fromarray(np.full((8, 8), 60000, np.uint16)).save(tmp_path / "5.png")
    with pytest.raises(ValueError, match="3 of 6 files cannot be read") as caught:
        lazily(tmp_path, 4)
    assert all(f"{number}.png" in str(caught.value) for number in (1, 3, 5))
    with pytest.warns(UserWarning, match="3 of 6 files.*left out"):
        lazy = lazily(tmp_path, 4, on_error="skip")
    assert lazy.files == ("0.png", "2.png", "4.png")


def damaged_late(folder: Path) -> Path:
    """JPEG files, of which 1 and 2 show that they are cut only when they are decoded."""
    write(folder, [(64, 64)] * 5, "jpg")
    cut(folder / "1.jpg", 0.6)
    cut(folder / "2.jpg", 0.6)
    return folder


def test_damage_found_when_decoding_is_fatal_by_default(tmp_path: Path):
    lazy = lazily(damaged_late(tmp_path), 8)
    with pytest.raises(ValueError, match=r"1\.jpg cannot be read .* on_error"):
        lazy[1]


def test_the_next_good_picture_stands_in_for_a_damaged_one(tmp_path: Path):
    lazy = lazily(damaged_late(tmp_path), 8, on_error="skip")
    with pytest.warns(UserWarning, match="stands in") as caught:
        first = list(lazy)
    named = [str(warning.message).partition(" cannot")[0] for warning in caught]
    assert [Path(name).name for name in named] == ["1.jpg", "2.jpg"]
    assert len(first) == len(lazy) == 5
    assert torch.equal(first[1], first[3])
    assert torch.equal(first[2], first[3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # each is named once
        assert torch.equal(torch.stack(list(lazy)), torch.stack(first))
    with pytest.warns(UserWarning, match=r"2\.jpg"):
        part = list(lazy.select([0, 2]))
    assert torch.equal(part[1], first[0])  # not a picture outside the selection
    with pytest.warns(UserWarning, match="stands in"), pytest.raises(ValueError, match="None of"):
        lazy.select([1, 2])[0]


def test_without_a_check_no_file_is_opened(tmp_path: Path):
    (tmp_path / "0.png").write_text("no picture")
    lazy = lazily(tmp_path, 4, check=False)
    with pytest.raises(ValueError, match=r"0\.png cannot be read"):
        lazy[0]


def test_the_bar_is_shown_if_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    ImageFolder(write(tmp_path, [(4, 4)]), 2)
    assert "Looking" in capsys.readouterr().err
    lazily(tmp_path, 2)
    assert not capsys.readouterr().err


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either resolution or longest"),
        ({"resolution": 4, "longest": 4}, "either resolution or longest"),
        ({"resolution": 0}, "resolution must be a whole number"),
        ({"resolution": (4, 4, 4)}, "resolution must be"),
        ({"longest": 0}, "longest must be"),
        ({"resolution": 4, "channels": 4}, "channels must be 1 or 3; got 4"),
        ({"resolution": 4, "background": "white"}, "background"),
        ({"resolution": 4, "others": "pad"}, "others must be"),
        ({"resolution": 4, "on_error": "ignore"}, "on_error must be"),
        ({"resolution": 4, "workers": 0}, "workers must be"),
        ({"resolution": 4, "pattern": "*.heic"}, "no file matching"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, options, message: str):
    write(tmp_path, [(4, 4)])
    with pytest.raises(ValueError, match=message):
        lazily(tmp_path, **options)


def test_absent_folders_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="takes an existing folder"):
        lazily(tmp_path / "absent", 4)
