"""``image_folder`` gives area averages of centred crops, and names every file it cannot read."""

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inftydiff.data import image_folder


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def random_pixels(height: int, width: int, seed: int, channels: int = 3) -> np.ndarray:
    shape = (height, width, channels)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def read(folder: Path, resolution: int | tuple[int, int], **options) -> np.ndarray:
    """The pictures of a folder, (n, h, w, c)."""
    return (
        image_folder(folder, resolution, progress=False, **options)
        .pixels.numpy()
        .transpose(0, 2, 3, 1)
    )


@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    factor=st.integers(1, 6),
    margin=st.integers(0, 5),
    wide=st.booleans(),
)
def test_cells_are_averages_over_a_centred_crop(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int],
    factor: int,
    margin: int,
    wide: bool,
):
    h, w = shape
    pixels = random_pixels(
        h * factor + 2 * margin * (not wide), w * factor + 2 * margin * wide, seed=factor
    )
    folder = tmp_path_factory.mktemp("pictures")
    Image.fromarray(pixels).save(folder / "x.png")
    rows = slice(0, None) if wide else slice(margin, margin + h * factor)
    columns = slice(margin, margin + w * factor) if wide else slice(0, None)
    cells = pixels[rows, columns].reshape(h, factor, w, factor, 3).mean((1, 3))
    # PIL averages the rows and then the columns, and rounds each time
    assert np.abs(read(folder, (h, w))[0] - cells).max() <= 1.01


def test_a_smaller_picture_is_enlarged_with_constant_cells(tmp_path: Path):
    pixels = random_pixels(3, 3, seed=0)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    assert np.array_equal(read(tmp_path, 6)[0], pixels.repeat(2, 0).repeat(2, 1))


def test_the_order_is_that_of_the_paths_for_any_number_of_workers(tmp_path: Path):
    for index in (3, 1, 2, 0):
        folder = tmp_path / str(index // 2)
        folder.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (index, 0, 0)).save(folder / f"{index}.png")
    for workers in (1, 3, None):
        assert read(tmp_path, 1, workers=workers)[:, 0, 0, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_opaque_modes_become_rgb(tmp_path: Path, mode: str):
    image = Image.new("RGB", (4, 4), (255, 255, 255)).convert(mode)
    image.save(tmp_path / "x.tiff")
    assert (read(tmp_path, 2) == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_shows_the_background(tmp_path: Path, mode: str):
    if mode == "P":
        Image.new("P", (4, 4)).save(tmp_path / "x.png", transparency=0)
    else:
        Image.new("RGBA", (4, 4), (9, 9, 9, 0)).convert(mode).save(tmp_path / "x.png")
    assert (read(tmp_path, 2, background="#0A141e") == [10, 20, 30]).all()


def test_half_transparent_pixels_are_mixed(tmp_path: Path):
    Image.new("RGBA", (2, 2), (255, 0, 0, 128)).save(tmp_path / "x.png")
    assert np.abs(read(tmp_path, 2, background="ffffff")[0, 0, 0] - [255.0, 127, 127]).max() <= 1


def test_pictures_are_turned_upright(tmp_path: Path):
    pixels = random_pixels(4, 4, seed=0)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    Image.fromarray(pixels).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(read(tmp_path, 4)[0], np.rot90(pixels, -1))


def damage(folder: Path) -> set[str]:
    """Add three good pictures and four that cannot be read; return the names of the latter."""
    for index in range(3):
        Image.new("RGB", (8, 8), (index, 0, 0)).save(folder / f"{2 * index}.png")
    good = (folder / "0.png").read_bytes()
    (folder / "1-cut.png").write_bytes(good[: len(good) // 2])
    (folder / "3-text.jpg").write_text("no picture")
    (folder / "5-empty.webp").touch()
    Image.fromarray(np.full((8, 8), 60000, np.uint16)).save(folder / "7-deep.png")
    return {"1-cut.png", "3-text.jpg", "5-empty.webp", "7-deep.png"}


def test_every_unreadable_file_is_named(tmp_path: Path):
    bad = damage(tmp_path)
    with pytest.raises(ValueError, match=r"4 of 7 files cannot be read") as caught:
        image_folder(tmp_path, 4, progress=False)
    assert {file.name for file in tmp_path.iterdir() if file.name in str(caught.value)} == bad


def test_unreadable_files_can_be_left_out(tmp_path: Path):
    bad = damage(tmp_path)
    with pytest.warns(UserWarning, match="4 of 7 files") as caught:
        pixels = read(tmp_path, 1, on_error="skip")
    assert all(name in str(caught[0].message) for name in bad)
    assert pixels[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_a_folder_of_unreadable_files_is_refused(tmp_path: Path):
    (tmp_path / "x.png").touch()
    with pytest.raises(ValueError, match=r"1 of 1 files .*x\.png"):
        image_folder(tmp_path, 4, progress=False, on_error="skip")


def test_files_are_chosen_by_name(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._0.png").touch()
    (tmp_path / "a").mkdir()
    Image.new("RGB", (4, 4), (1, 0, 0)).save(tmp_path / "0.PNG")
    Image.new("RGB", (4, 4), (2, 0, 0)).save(tmp_path / "a" / "0.bmp")
    Image.new("RGB", (4, 4), (3, 0, 0)).save(tmp_path / "a" / "picture", format="png")
    with pytest.warns(UserWarning, match="2 others are left out"):
        assert read(tmp_path, 1)[:, 0, 0, 0].tolist() == [1, 2]
    assert read(tmp_path, 1, pattern="a/*")[:, 0, 0, 0].tolist() == [2, 3]


def test_folders_without_pictures_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="holds no file ending with"):
        image_folder(tmp_path, 4)
    with pytest.raises(ValueError, match=r"holds no file matching '\*\.heic'"):
        image_folder(tmp_path, 4, pattern="*.heic")
    with pytest.raises(ValueError, match="takes an existing folder"):
        image_folder(tmp_path / "absent", 4)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("resolution", "options", "message"),
    [
        (0, {}, "resolution"),
        ((4, 0), {}, "width"),
        ((4, 4, 4), {}, "resolution"),
        (4, {"workers": 0}, "workers"),
        (4, {"background": "white"}, "background"),
        (4, {"on_error": "ignore"}, "on_error"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, resolution, options, message: str):
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match=message):
        image_folder(tmp_path, resolution, **options)


def test_the_bar_is_shown_if_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    assert torch.equal(
        image_folder(tmp_path, 2, progress=False).pixels, image_folder(tmp_path, 2).pixels
    )
    assert capsys.readouterr().err.count("Decoding") >= 1
    image_folder(tmp_path, 2, progress=False)
    assert not capsys.readouterr().err
