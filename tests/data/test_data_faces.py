"""A seed is one picture, whatever else is asked for, by how many processes, and at what size."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import avg_pool2d

from inftydiff.data import face_credit, face_seeds, face_styles, faces

QUIET = {"progress": False, "workers": 1}


@pytest.fixture(scope="module")
def two_blocks() -> torch.Tensor:
    """Pictures of the seeds 0 to 255, drawn by this process."""
    return faces(seeds=range(256), resolution=16, **QUIET).pixels


@settings(max_examples=15)
@given(seeds=st.lists(st.integers(0, 255), min_size=1, max_size=20))
def test_a_picture_depends_on_its_seed_alone(two_blocks: torch.Tensor, seeds: list[int]):
    assert torch.equal(faces(seeds=seeds, resolution=16, **QUIET).pixels, two_blocks[seeds])


def test_several_processes_draw_the_same(two_blocks: torch.Tensor, tmp_path):
    drawn = faces(seeds=range(256), resolution=16, cache=tmp_path, workers=2, progress=False)
    assert torch.equal(drawn.pixels, two_blocks)


def test_pictures_differ(two_blocks: torch.Tensor):
    assert len({picture.numpy().tobytes() for picture in two_blocks}) == len(two_blocks)


@pytest.mark.parametrize("style", ["toon-head", "cutouts"])
def test_a_coarse_picture_is_nearly_the_area_average_of_a_fine_one(style: str):
    seeds = face_seeds("test", 8)
    fine, coarse = (
        torch.stack(list(faces(style, seeds, resolution, **QUIET))) for resolution in (256, 32)
    )
    difference = (avg_pool2d(fine, 8) - coarse).abs().mean((1, 2, 3))
    assert difference.max() < 0.02
    assert (avg_pool2d(fine, 8).roll(1, -1) - coarse).abs().mean((1, 2, 3)).min() > 0.02


def test_the_background_is_what_was_asked():
    pictures = faces(seeds=range(4), resolution=16, background="#0A141E", **QUIET).pixels
    assert (pictures[:, :, 0, 0] == torch.tensor([10, 20, 30])).all()


@pytest.mark.parametrize("style", ["identicon", "glass", "pixel-art", "initials"])
def test_other_styles_are_drawn(style: str):
    images = faces(style, range(3), 17, **QUIET)
    assert images.pixels.shape == (3, 3, 17, 17)
    assert images[0].std() > 0.05


def test_every_style_is_square_and_credited():
    styles = face_styles()
    assert len(styles) > 50
    assert all(face_credit(style).startswith('"') for style in styles)
    assert "Johan Melin" in face_credit("toon-head")
    assert "CC BY 4.0" in face_credit("toon-head")


@given(counts=st.tuples(*[st.integers(1, 10**6)] * 3))
def test_splits_share_no_seed_and_begin_alike(counts: tuple[int, int, int]):
    splits = ("train", "validation", "test")
    ranges = [face_seeds(split, count) for split, count in zip(splits, counts, strict=True)]
    assert [len(seeds) for seeds in ranges] == list(counts)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        a, b = ranges[first], ranges[second]
        assert max(a.start, b.start) >= min(a.stop, b.stop)
    for split, seeds in zip(splits, ranges, strict=True):
        assert face_seeds(split, 1)[0] == seeds[0]


def test_drawing_leaves_random_states_alone():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    faces("shapes", range(2), 16, **QUIET)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
