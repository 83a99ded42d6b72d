"""``Images`` gives float32 in [−1, 1] from eight-bit or floating pixels, and refuses all others."""

import copy
import pickle
from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from inftydiff.data import Images

SHAPES = st.tuples(st.integers(1, 4), *[st.integers(1, 5)] * 3)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def eight_bit(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, shape, generator=generator, dtype=torch.uint8)


@given(shape=SHAPES, seed=st.integers(0, 2**32))
def test_eight_bits_map_to_the_interval(shape: tuple[int, ...], seed: int):
    pixels = eight_bit(shape, seed)
    got = torch.stack(list(Images(pixels)))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.double() * 127.5 + 127.5, pixels.double(), atol=1e-4, rtol=0)
    assert (got.abs() <= 1).all()


def test_the_ends_and_the_middle_are_exact():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1, 1)
    assert [picture.item() for picture in Images(pixels)] == pytest.approx([-1, -0.6, 1], abs=1e-7)
    assert Images(pixels)[0].item() == -1
    assert Images(pixels)[2].item() == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_floats_are_taken_as_they_are(dtype: torch.dtype):
    pixels = (eight_bit((3, 2, 4, 5), 0).double() / 127.5 - 1).to(dtype)
    images = Images(pixels)
    assert images[1].dtype == torch.float32
    torch.testing.assert_close(images[1], pixels[1].float(), atol=0, rtol=0)


def test_a_picture_is_a_copy():
    images = Images(torch.zeros(2, 1, 2, 2))
    images[0].fill_(9)
    assert not images.pixels.any()


def test_indices_count_from_both_ends_and_stop():
    images = Images(eight_bit((3, 1, 2, 2), 0))
    assert len(images) == 3
    torch.testing.assert_close(images[-1], images[2], atol=0, rtol=0)
    for index in (3, -4):
        with pytest.raises(IndexError, match="3 pictures"):
            images[index]


def test_a_loader_batches_it():
    images = Images(eight_bit((5, 3, 4, 4), 0))
    batches = list(DataLoader(images, batch_size=2))
    assert [len(batch) for batch in batches] == [2, 2, 1]
    torch.testing.assert_close(torch.cat(batches), torch.stack(list(images)), atol=0, rtol=0)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_it_can_be_copied_and_sent(duplicate):
    images = Images(eight_bit((2, 3, 4, 4), 0))
    assert torch.equal(duplicate(images).pixels, images.pixels)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "NaN"),
        (float("inf"), "NaN or infinite"),
        (1.001, r"to 1\.001"),
        (255.0, "as uint8"),
        (-1.5, r"from -1\.5"),
    ],
)
@pytest.mark.parametrize("index", [0, 2])
def test_the_picture_that_is_out_of_range_is_named(value: float, message: str, index: int):
    pixels = torch.zeros(4, 2, 3, 3)
    pixels[index, 1, 2, 0] = value
    pixels[3, 0, 0, 0] = value
    with pytest.raises(ValueError, match=f"picture {index} has .*{message}") as caught:
        Images(pixels)
    assert "2 of 4 pictures" in str(caught.value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 0, 4, 4), (2, 3, 4, 0), (3, 4, 4), (4,)])
def test_other_shapes_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"\(n, c, h, w\)"):
        Images(torch.zeros(shape))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.bool, torch.complex64])
def test_other_numbers_are_refused(dtype: torch.dtype):
    with pytest.raises(TypeError, match="uint8"):
        Images(torch.zeros(1, 1, 2, 2, dtype=dtype))


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match="image_array"):
        Images([[[[0.0]]]])
