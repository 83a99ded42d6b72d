"""A cell is known only if all of it is: paint hides every cell that it touches, and nothing else.

The oracle repeats pixels and cells on the grid of their least common multiple.
"""

from math import lcm
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from inftydiff.cli import main
from inftydiff.cli.inpaint import box_mask, read_mask
from inftydiff.cli.task_pictures import task_pictures
from inftydiff.cli.tasks import Prepared
from inftydiff.data._masks import painted, touched
from inftydiff.pipelines import load_pipeline

SIDES = st.integers(1, 13)


def by_parts(paint: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The cells that paint touches, of a mask that is cropped to the grid's proportions."""
    (h, w), (rows, columns) = paint.shape, shape
    # in units of which every pixel, every cell and the margin is a whole number, even
    unit = 2 * lcm(rows, columns)
    fine = paint.repeat(unit, 0).repeat(unit, 1)
    height = min(h * unit, w * unit * rows // columns)
    width = min(w * unit, h * unit * columns // rows)
    top, left = (h * unit - height) // 2, (w * unit - width) // 2
    cropped = fine[top : top + height, left : left + width]
    parts = cropped.repeat(rows, 0).repeat(columns, 1)
    return parts.reshape(rows, height, columns, width).any((1, 3))


@given(h=SIDES, w=SIDES, rows=st.integers(1, 6), columns=st.integers(1, 6), seed=st.integers(0, 9))
def test_cells_that_paint_touches_are_hidden(h, w, rows, columns, seed):
    paint = np.random.default_rng(seed).random((h, w)) < 0.15
    found = touched(torch.from_numpy(paint), (rows, columns))
    assert np.array_equal(found.numpy(), by_parts(paint, (rows, columns)))


def test_edges_off_the_cells_hide_the_cells_that_they_cross():
    paint = torch.zeros(256, 256, dtype=torch.bool)
    paint[65:130, 64:129] = True
    found = touched(paint, (64, 64))
    right = torch.zeros(64, 64, dtype=torch.bool)
    right[16:33, 16:33] = True
    assert torch.equal(found, right)
    line = torch.zeros(256, 256, dtype=torch.bool)
    line[:, 77] = True
    assert int(touched(line, (64, 64)).sum()) == 64


def saved(folder: Path, pixels: np.ndarray, mode: str, **options: object) -> Path:
    image = Image.fromarray(pixels)
    (image if image.mode == mode else image.convert(mode)).save(folder / "mask.png", **options)
    return folder / "mask.png"


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("beneath", [0, 255])
def test_transparency_is_no_paint(tmp_path: Path, mode: str, beneath: int):
    pixels = np.full((6, 6, 4), beneath, np.uint8)
    pixels[..., 3] = 0
    pixels[1:3, 2:5] = 255
    pixels[4, 4] = 0, 0, 0, 255
    right = np.zeros((6, 6), bool)
    right[1:3, 2:5] = True
    assert np.array_equal(painted(saved(tmp_path, pixels, mode)).numpy(), right)


def test_transparency_of_palettes_and_colours_is_no_paint(tmp_path: Path):
    pixels = np.full((4, 4), 255, np.uint8)
    pixels[1, 2] = 254
    right = torch.zeros(4, 4, dtype=torch.bool)
    right[1, 2] = True
    assert torch.equal(painted(saved(tmp_path, pixels, "L", transparency=255)), right)
    image = Image.fromarray((pixels == 254).astype(np.uint8))
    image.putpalette([255] * 6)
    image.save(tmp_path / "mask.png", transparency=0)
    assert torch.equal(painted(tmp_path / "mask.png"), right)
    colours = np.full((4, 4, 3), 255, np.uint8)
    colours[1, 2] = 250
    file = saved(tmp_path, colours, "RGB", transparency=(255, 255, 255))
    assert torch.equal(painted(file), right)


def test_grey_is_paint_from_one_half_on(tmp_path: Path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(painted(saved(tmp_path, levels, "L")).numpy(), levels >= 128)
    assert int(painted(saved(tmp_path, np.full((2, 2), 255, np.uint8), "1")).sum()) == 4


@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    ends=st.tuples(*[st.integers(0, 40)] * 4),
)
def test_boxes_hide_what_they_touch(shape, ends):
    top, bottom = sorted(ends[:2])
    left, right = sorted(ends[2:])
    if top == bottom or left == right:
        return
    rows, columns = shape
    fine = np.zeros((40, 40), bool)
    fine[top:bottom, left:right] = True
    parts = fine.repeat(rows, 0).repeat(columns, 1).reshape(rows, 40, columns, 40).any((1, 3))
    known = box_mask((top / 40, left / 40, bottom / 40, right / 40), shape)
    assert np.array_equal(~known.numpy(), parts)


def test_arrays_take_masks_of_their_own_size(model, tmp_path: Path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 16, 16), np.uint8))
    paint = np.zeros((16, 16), np.uint8)
    paint[3, 5] = 255
    file = saved(tmp_path, paint, "L")
    words = {"style": "toon-head", "count": 1}
    source = task_pictures([str(tmp_path / "x.npy")], **words)
    pipeline = load_pipeline(Path(model))
    ready = Prepared(pipeline, source, source.take(pipeline, 8), pipeline.grid(8))
    right = torch.ones(8, 8, dtype=torch.bool)
    right[1, 2] = False
    assert torch.equal(read_mask(file, ready), right)


def test_hidden_red_is_not_put_back(model, tmp_path: Path):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[..., 2] = 255
    pixels[19:45, 18:46] = 255, 0, 0
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    paint = np.zeros((64, 64, 4), np.uint8)
    paint[19:45, 18:46] = 255
    Image.fromarray(paint).save(tmp_path / "mask.png")
    words = ["--mask", str(tmp_path / "mask.png"), "--taken-at", "16", "--steps", "2"]
    out = ["--samples", "2", "--out", str(tmp_path / "out")]
    assert main(["inpaint", model, str(tmp_path / "mine.png"), *words, *out]) == 0
    with np.load(tmp_path / "out" / "answer.npz") as found:
        samples = found["samples"]
    same = (np.ptp(samples, axis=1) < 1e-6).all(1)[0]  # put back
    hidden = np.zeros((16, 16), bool)
    hidden[4:12, 4:12] = True
    assert np.array_equal(same, ~hidden)
    assert np.allclose(samples[0, :, :, ~hidden], [-1, -1, 1], atol=1e-5)
