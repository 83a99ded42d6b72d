"""The size and the pixels of a picture come from one reading of its orientation, in every format.

The oracle turns the pixels of the same file without an orientation.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from picture_files import chunks, png
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from inftydiff.cli.task_pictures import TaskFiles
from inftydiff.data import ImageFolder, image_folder
from inftydiff.data._image_io import upright_size
from inftydiff.data._masks import painted

ORIENTATION = 0x0112
XMP = 700
TURNS = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
    8: np.rot90,
}
KINDS = [
    (form, carrier, late)
    for form in ("JPEG", "MPO", "PNG", "TIFF", "TIFF deflated", "WEBP", "AVIF")
    for carrier in ("exif", "xmp")
    for late in ((False, True) if form == "PNG" else (False,))
]


def content(pixels: np.ndarray, form: str, carrier: str, orientation: int) -> bytes:
    """A file of pixels with an orientation, PNG's before the pixels."""
    options: dict[str, object] = {}
    words = f'<x xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{orientation}"/>'
    if carrier == "exif":
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    elif form == "PNG":
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", words)
    elif form.startswith("TIFF"):
        options["tiffinfo"] = ImageFileDirectory_v2()
        options["tiffinfo"].tagtype[XMP] = 1
        options["tiffinfo"][XMP] = words.encode()
    else:
        options["xmp"] = words.encode()
    if form == "TIFF deflated":
        options["compression"] = "tiff_adobe_deflate"
    file = BytesIO()
    Image.fromarray(pixels).save(file, form.split()[0], **options)
    return file.getvalue()


def moved(file: bytes) -> bytes:
    """A PNG file with what tells of the orientation behind the pixels."""
    parts = chunks(file)
    late = [part for part in parts if part[0] in (b"eXIf", b"iTXt")]
    assert len(late) == 1
    return png([part for part in parts[:-1] if part not in late] + late + parts[-1:])


@pytest.mark.thorough
@pytest.mark.parametrize(("form", "carrier", "late"), KINDS)
@given(orientation=st.integers(1, 8), height=st.integers(2, 9), width=st.integers(2, 9))
def test_size_and_pixels_agree(tmp_path_factory, form, carrier, late, orientation, height, width):
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    folder = tmp_path_factory.mktemp("pictures")
    file = content(pixels, form, carrier, orientation)
    (folder / "x.png").write_bytes(moved(file) if late else file)  # the name does not matter
    with Image.open(BytesIO(content(pixels, form, carrier, 1))) as plain:
        right = TURNS[orientation](np.asarray(plain))
    assert upright_size(folder / "x.png", False) == right.shape[:2]
    assert upright_size(folder / "x.png", True) == right.shape[:2]
    assert TaskFiles((folder / "x.png",)).sizes() == {right.shape[:2]}
    assert painted(folder / "x.png").shape == right.shape[:2]
    longest = ImageFolder(folder, longest=max(right.shape[:2]), progress=False)
    assert longest.shape[1:] == right.shape[:2]
    eager = image_folder(folder, right.shape[:2], progress=False)
    assert np.array_equal(eager.pixels[0].permute(1, 2, 0).numpy(), right)
    assert torch.equal(longest[0], eager[0])


def test_an_exif_block_behind_the_pixels_turns_the_size(tmp_path: Path):
    pixels = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    (tmp_path / "x.png").write_bytes(moved(content(pixels, "PNG", "exif", 6)))
    lazy = ImageFolder(tmp_path, longest=30, progress=False)
    assert lazy.shape == (3, 30, 20)
    right = torch.from_numpy(np.rot90(pixels, -1).copy()).permute(2, 0, 1)
    assert torch.equal(lazy.pictures.pixels(0), right)


def test_a_comment_behind_the_pixels_turns_nothing(tmp_path: Path):
    info = PngInfo()
    info.add(b"tEXt", b"Comment\0nothing", after_idat=True)
    Image.new("RGB", (3, 2)).save(tmp_path / "x.png", pnginfo=info)
    assert upright_size(tmp_path / "x.png", True) == (2, 3)
