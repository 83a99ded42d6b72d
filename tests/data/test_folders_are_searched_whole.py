"""Every picture of a folder is found, and what is left out is counted and named."""

import os
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inftydiff.cli.labels import class_names
from inftydiff.cli.task_pictures import task_pictures
from inftydiff.data import ImageFolder, ffhq, image_folder
from inftydiff.data._files import picture_files

FORMATS = {
    "AVIF": (".avif",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "ICO": (".ico",),
    "JPEG": (".jpe", ".jfif", ".JPG", ".jpeg"),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "MPO": (".mpo",),
    "PCX": (".pcx",),
    "PNG": (".png", ".Png", ".apng"),
    "PPM": (".pbm", ".pnm", ".PPM"),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb"),
    "TGA": (".tga", ".TGA"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "XBM": (".xbm",),
}
SUFFIXES = [(form, suffix) for form, suffixes in FORMATS.items() for suffix in suffixes]


def write(file: Path, form: str = "PNG") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = {".pbm": "1", ".xbm": "1"}.get(file.suffix, "RGB")
    Image.new(mode, (16, 16)).save(file, form)


def names(folder: Path, pattern: str | None = None) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in picture_files(folder, pattern)]


@pytest.mark.parametrize(("form", "suffix"), SUFFIXES)
def test_names_of_every_format_are_pictures(tmp_path: Path, form: str, suffix: str):
    write(tmp_path / f"x{suffix}", form)
    assert len(image_folder(tmp_path, 4, progress=False)) == 1
    assert len(ImageFolder(tmp_path, longest=4, progress=False)) == 1


def test_linked_class_folders_are_searched(tmp_path: Path):
    for number in range(5):
        write(tmp_path / ("data/a" if number < 2 else "elsewhere") / f"{number}.png")
    (tmp_path / "data" / "b").symlink_to(tmp_path / "elsewhere")
    folder = tmp_path / "data"
    (folder / "b" / "up").symlink_to(folder)
    (folder / "round").symlink_to(folder / "round")
    with pytest.warns(UserWarning, match=r"1 × no file \(round\)"):
        assert names(folder) == ["a/0.png", "a/1.png", "b/2.png", "b/3.png", "b/4.png"]
    (folder / "round").unlink()
    assert class_names(folder) == ["a", "b"]
    assert len(image_folder(folder, 4, progress=False)) == 5
    lazy = ImageFolder(folder, 4, progress=False)
    assert torch.equal(lazy[4], torch.full((3, 4, 4), -1.0))
    assert len(task_pictures([str(folder)], style="toon-head", count=9).names) == 5


def test_patterns_go_through_links(tmp_path: Path):
    write(tmp_path / "far" / "deep" / "0.png")
    write(tmp_path / "data" / "1.png")
    (tmp_path / "data" / "near").symlink_to(tmp_path / "far")
    assert names(tmp_path / "data", "**/*.png") == ["1.png", "near/deep/0.png"]
    assert names(tmp_path / "data", "near/*/0.*") == ["near/deep/0.png"]
    for pattern in ("/etc/*", "../far/*", ""):
        with pytest.raises(ValueError, match="relative to the folder"):
            names(tmp_path / "data", pattern)


@given(links=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8, unique=True))
def test_every_file_is_found_once_for_any_links(tmp_path_factory, links):
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(4):
        write(folder / str(number) / f"{number}.png")
    for number, (start, end) in enumerate(links):
        (folder / str(start) / f"link{number}").symlink_to(folder / str(end))
    assert names(folder) == [f"{number}/{number}.png" for number in range(4)]


def test_what_is_left_out_is_counted_and_named(tmp_path: Path):
    write(tmp_path / "x.png")
    for name in ("a.heic", "b.HEIC", "labels.csv", "plain", ".hidden"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.warns(UserWarning, match="are left out") as caught:
        assert names(tmp_path) == ["x.png"]
    (said,) = (str(warning.message) for warning in caught)
    assert "1 pictures are found, and 6 others are left out" in said
    for part in ("2 × .heic (a.heic, …)", "1 × .csv (labels.csv)", "1 × no suffix (plain)"):
        assert part in said
    assert "2 × no file (gone.png, …)" in said
    assert "hidden" not in said
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert names(tmp_path, "x.*") == ["x.png"]
    (tmp_path / "x.png").unlink()
    with pytest.raises(ValueError, match=r"holds no file ending with .* Left out: .*2 × \.heic"):
        names(tmp_path)


def test_folders_that_may_not_be_searched_are_named(tmp_path: Path, monkeypatch):
    write(tmp_path / "x.png")
    (tmp_path / "lost+found").mkdir()
    scan = os.scandir

    def refuse(folder: Path) -> object:
        if Path(folder).name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.warns(UserWarning, match=r"1 × folder that cannot be searched \(lost\+found\)"):
        assert names(tmp_path) == ["x.png"]


@pytest.mark.filterwarnings("ignore:.* holds 2 of the 60000 pictures")
def test_copies_are_searched_through_links(tmp_path: Path):
    write(tmp_path / "far" / "00000.png")
    write(tmp_path / "thumbnails128x128" / "01000" / "01000.png")
    (tmp_path / "thumbnails128x128" / "00000").symlink_to(tmp_path / "far")
    assert len(ffhq(tmp_path, "train", 8)) == 2
