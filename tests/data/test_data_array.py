"""``image_array`` reads the same pictures from every source and layout, and refuses the rest."""

import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.data import image_array

SIZES = st.tuples(*[st.integers(1, 5)] * 3)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def pictures(n: int, c: int, h: int, w: int) -> np.ndarray:
    values = np.random.default_rng(n).integers(0, 256, (n, c, h, w), dtype=np.uint8)
    assert values.size
    return values


@given(sizes=SIZES, channels=st.integers(1, 4))
def test_layouts_agree(sizes: tuple[int, int, int], channels: int):
    n, h, w = sizes
    x = pictures(n, channels, h, w)
    first, last = image_array(x), image_array(x.transpose(0, 2, 3, 1), layout="nhwc")
    assert np.array_equal(first.pixels.numpy(), x)
    assert torch.equal(last.pixels, first.pixels)
    grey = image_array(x[:, 0], layout="nhw")
    assert torch.equal(grey.pixels, first.pixels[:, :1])


@pytest.mark.parametrize("dtype", ["u1", "<f2", "<f4", ">f4", "<f8", ">f8"])
def test_sources_agree(tmp_path: Path, dtype: str):
    x = pictures(3, 2, 4, 5)
    x = x if dtype == "u1" else (x / 127.5 - 1).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x)
    np.savez_compressed(tmp_path / "small.npz", x=x)
    native = torch.from_numpy(x.astype(x.dtype.newbyteorder("=")))
    for source in (
        x,
        x[::-1][::-1],
        np.asfortranarray(x),
        native,
        tmp_path / "x.npy",
        str(tmp_path / "x.npz"),
        tmp_path / "small.npz",
    ):
        assert torch.equal(image_array(source).pixels, native)


@pytest.mark.parametrize("kind", [np.array, torch.tensor])
def test_the_pixels_are_a_copy(kind):
    source = kind([[[[0.0]]]])
    images = image_array(source)
    source[...] = 1
    assert images.pixels.item() == 0


def test_read_only_memory_is_accepted():
    x = pictures(1, 1, 2, 2)
    x.setflags(write=False)
    image_array(x)


@pytest.mark.parametrize(
    ("shape", "layout"), [((4, 4, 3), "nchw"), ((2, 4, 4), "nhwc"), ((2, 4, 4, 3), "nhw")]
)
def test_the_wrong_number_of_axes_is_refused(shape: tuple[int, ...], layout: str):
    with pytest.raises(ValueError, match=rf"'{layout}' has {len(layout)} axes; got shape"):
        image_array(np.zeros(shape, np.uint8), layout=layout)


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_layout_is_refused():
    with pytest.raises(ValueError, match="must be one of 'nchw', 'nhwc', 'nhw'; got 'chwn'"):
        image_array(np.zeros((2, 3, 4, 4), np.uint8), layout="chwn")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((2, 1, 2, 2), np.nan), "picture 0 has NaN"),
        (np.full((2, 1, 2, 2), 255.0), "picture 0 has values from 255 to 255"),
        (np.zeros((0, 1, 2, 2)), "every size at least 1"),
    ],
)
def test_bad_values_are_refused(values: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        image_array(values)


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.complex64, np.longdouble, object])
def test_other_numbers_are_refused(dtype: type):
    with pytest.raises(TypeError, match="uint8"):
        image_array(np.zeros((1, 1, 2, 2), dtype))


@pytest.mark.usefixtures("unchecked")
def test_other_sources_are_refused():
    with pytest.raises(TypeError, match="numpy array"):
        image_array([[[[0.0]]]])


class Trap:
    """An object whose unpickling leaves a trace."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_nothing_is_unpickled(tmp_path: Path):
    for name in ("x.npy", "x.npz"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "trace")))
    np.save(tmp_path / "y.npy", np.array([Trap(tmp_path / "trace")]), allow_pickle=True)
    np.savez(tmp_path / "y.npz", x=np.array([Trap(tmp_path / "trace")]))
    for file in tmp_path.glob("*.np?"):
        with pytest.raises(ValueError, match="cannot be read"):
            image_array(file)
    assert not (tmp_path / "trace").exists()


def test_files_that_are_not_one_array_are_refused(tmp_path: Path):
    x = pictures(1, 1, 2, 2)
    np.save(tmp_path / "x.npy", x)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-1])
    (tmp_path / "empty.npy").touch()
    np.savez(tmp_path / "two.npz", a=x, b=x)
    (tmp_path / "cut.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:-9])
    zipfile.ZipFile(tmp_path / "none.npz", "w").close()
    for name in ("absent", "cut", "empty"):
        with pytest.raises(ValueError, match=rf"{name}\.npy cannot be read"):
            image_array(tmp_path / f"{name}.npy")
    with pytest.raises(ValueError, match=r"2 arrays \(a, b\)"):
        image_array(tmp_path / "two.npz")
    with pytest.raises(ValueError, match="0 arrays"):
        image_array(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"cut\.npz cannot be read"):
        image_array(tmp_path / "cut.npz")
    with pytest.raises(ValueError, match=r"reads \.npy and \.npz files; got .*\.txt"):
        image_array(tmp_path / "x.txt")
