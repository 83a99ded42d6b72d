"""A picture of more than eight bits a channel is refused in words, whatever its format and mode.

PIL would decode most of them to eight bits, of which the file alone tells.
"""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from picture_files import deep_png
from PIL import Image

from inftydiff.data import ImageFolder, hub_dataset, image_folder
from inftydiff.data._masks import painted
from inftydiff.data._resize import Reduction


def saved(mode: str, form: str, **options: object) -> bytes:
    """A picture as PIL writes it."""
    file = BytesIO()
    Image.new(mode, (16, 16)).save(file, form, **options)
    return file.getvalue()


def avif(depth: int) -> bytes:
    """An AVIF file whose headers say how deep it is."""
    file = bytearray(saved("RGB", "AVIF"))
    flags, depths = file.index(b"av1C") + 6, file.index(b"pixi") + 9
    file[flags] |= 0x40 * (depth > 8)
    file[depths : depths + 3] = bytes([depth] * 3)
    return bytes(file)


def jpeg_2000(depth: int, **options: object) -> bytes:
    """A JPEG 2000 file whose header says how deep it is."""
    file = bytearray(saved("RGB", "JPEG2000", **options))
    depths = file.index(b"\xff\x4f\xff\x51") + 42
    file[depths : depths + 9 : 3] = bytes([depth - 1] * 3)
    return bytes(file)


def tiff(dtype: type, channels: int, planes: bool = False, **options: object) -> bytes:
    """A TIFF file."""
    file, shape = BytesIO(), (channels, 16, 16) if planes else (16, 16, channels)
    if channels > 1:
        options |= {"photometric": "rgb", "planarconfig": "separate" if planes else "contig"}
    tifffile.imwrite(file, np.zeros(shape, dtype).squeeze(), **options)
    return file.getvalue()


def portable(kind: str, channels: int, maximum: int) -> bytes:
    """A PPM or PGM file."""
    size = channels * 4 * (1 + (maximum > 255))
    return f"{kind}\n2 2\n{maximum}\n".encode() + (b"0 " * size if kind in "P2P3" else bytes(size))


def icon(picture: bytes) -> bytes:
    """An ICO file with a PNG file in it."""
    entry = bytes([8, 8, 0, 0, 1, 0, 32, 0])
    lengths = len(picture).to_bytes(4, "little") + (22).to_bytes(4, "little")
    return b"\0\0\1\0\1\0" + entry + lengths + picture


DEEP = {
    **{f"PNG {colour}": deep_png(colour) for colour in (0, 2, 4, 6)},
    **{f"TIFF {channels}": tiff(np.uint16, channels) for channels in (1, 3, 4)},
    "TIFF by planes": tiff(np.uint16, 3, planes=True),
    "TIFF deflated": tiff(np.uint16, 3, compression="zlib"),
    "TIFF signed": tiff(np.int16, 1),
    "TIFF 32": tiff(np.uint32, 1),
    "TIFF float": tiff(np.float32, 1),
    "AVIF": avif(10),
    "JP2": jpeg_2000(16),
    "J2K": jpeg_2000(12, no_jp2=True),
    "grey J2K": saved("I;16", "JPEG2000"),
    "PPM": portable("P6", 3, 65535),
    "10-bit PPM": portable("P6", 3, 1023),
    "plain PPM": portable("P3", 3, 1000),
    "PGM": portable("P5", 1, 65535),
    "PFM": b"Pf\n2 2\n-1.0\n" + bytes(16),
    "SGI": saved("RGB", "SGI", bpc=2),
    "grey SGI": saved("L", "SGI", bpc=2),
    "ICO": icon(deep_png(6)),
}
SHALLOW = {
    **{mode: saved(mode, "PNG") for mode in ("1", "L", "P", "LA", "RGB", "RGBA")},
    "2-bit PNG": saved("P", "PNG", bits=2),
    "TIFF": tiff(np.uint8, 3),
    "TIFF 1": saved("1", "TIFF"),
    "AVIF": avif(8),
    "JP2": jpeg_2000(8),
    "PPM": portable("P6", 3, 255),
    "6-bit PPM": portable("P6", 3, 63),
    "PBM": saved("1", "PPM"),
    "SGI": saved("RGB", "SGI"),
    "ICO": saved("RGBA", "ICO"),
    "TGA": saved("RGBA", "TGA"),
    "16 bits a pixel": b"BM"
    + (54 + 8).to_bytes(4, "little")
    + bytes(4)
    + (54).to_bytes(4, "little")
    + b"".join(n.to_bytes(4, "little") for n in (40, 2, 2, 1 + (16 << 16), 0, 8, 0, 0, 0, 0))
    + bytes(8),
}


@pytest.mark.parametrize("name", list(DEEP))
def test_deep_files_are_refused(tmp_path: Path, name: str):
    (tmp_path / "x.png").write_bytes(DEEP[name])  # the name does not matter
    for read in (
        lambda: image_folder(tmp_path, 4, progress=False),
        lambda: ImageFolder(tmp_path, 4, progress=False),
        lambda: ImageFolder(tmp_path, 4, progress=False, check=False)[0],
        lambda: painted(tmp_path / "x.png"),
    ):
        with pytest.raises(ValueError, match=r"x\.png.*(eight bits a channel|no 8-bit range)"):
            read()


@pytest.mark.parametrize("name", list(SHALLOW))
def test_others_are_read(name: str):
    assert Reduction((2, 2)).decode(BytesIO(SHALLOW[name])).shape == (3, 2, 2)


class Rows:
    """One row with the content of a file."""

    column_names = ("image",)

    def select_columns(self, column_names: object) -> "Rows":
        return self

    def with_format(self, type: object = None) -> "Rows":
        return self

    def __len__(self) -> int:
        return 1

    def __getitem__(self, key: object) -> dict[str, bytes]:
        return {"image": DEEP["PNG 2"]}


def test_deep_cells_are_refused():
    with pytest.raises(ValueError, match="row 0 of column 'image'.*eight bits a channel"):
        hub_dataset(Rows(), resolution=4)[0]
