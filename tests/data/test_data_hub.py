"""``hub_dataset`` gives the pictures of a column as ``image_folder`` gives those of files.

The library ``datasets`` (with pyarrow over 200 MB) is not among the tests' requirements; a table
with the part of its interface that is used stands in for it, and it is tried where it is installed.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from inftydiff.data import hub_dataset, image_folder


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


class Rows:
    """The part of ``datasets.Dataset`` that is used."""

    def __init__(self, columns: dict[str, list[Any]], format: str | None = "torch") -> None:
        self.columns = columns
        self.format = format

    @property
    def column_names(self) -> list[str]:
        return list(self.columns)

    def select_columns(self, column_names: Any) -> "Rows":
        return Rows({name: self.columns[name] for name in column_names}, self.format)

    def with_format(self, type: Any = None) -> "Rows":
        return Rows(self.columns, type)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key: Any) -> dict[str, Any]:
        assert self.format is None
        assert list(self.columns) in (["image"], ["picture"])  # no other column is decoded
        return {name: cells[key] for name, cells in self.columns.items()}


def library_rows(columns: dict[str, list[Any]]) -> Any:
    datasets = pytest.importorskip(
        "datasets", reason="datasets and pyarrow are large: pip install datasets"
    )
    return datasets.Dataset.from_dict(columns).with_format("torch")


TABLES = pytest.mark.parametrize("table", [Rows, library_rows])
SIZES = [(9, 12), (12, 9), (8, 8), (30, 40), (5, 4)]


def pixels() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


def png(array: np.ndarray) -> bytes:
    content = BytesIO()
    Image.fromarray(array).save(content, "png")
    return content.getvalue()


def from_files(folder: Path, **options) -> torch.Tensor:
    for number, array in enumerate(pixels()):
        Image.fromarray(array).save(folder / f"{number}.png")
    return image_folder(folder, (6, 8), progress=False, **options).pixels


CELLS: dict[str, Callable[[np.ndarray], Any]] = {
    "pictures": Image.fromarray,
    "bytes": png,
    "files": lambda array: {"bytes": png(array), "path": None},
    "lists": lambda array: array.tolist(),
}


@TABLES
@pytest.mark.parametrize("kind", list(CELLS))
@pytest.mark.parametrize("channels", [1, 3])
def test_the_pictures_are_those_of_image_folder(tmp_path: Path, table, kind: str, channels: int):
    cells = [CELLS[kind](array) for array in pixels()]
    rows = table({"picture": cells, "label": list(range(len(cells)))})
    images = hub_dataset(rows, "picture", resolution=(6, 8), channels=channels)
    assert torch.equal(images.in_memory().pixels, from_files(tmp_path, channels=channels))


@TABLES
def test_workers_give_the_same(table):
    images = hub_dataset(table({"image": [png(array) for array in pixels()]}), resolution=4)
    alone = torch.stack(list(images))
    assert torch.equal(torch.cat(list(DataLoader(images, batch_size=2, num_workers=2))), alone)


@TABLES
def test_paths_and_grey_arrays_are_pictures(tmp_path: Path, table):
    expected = from_files(tmp_path)
    files = [str(tmp_path / f"{number}.png") for number in range(len(SIZES))]
    for cells in (files, [{"bytes": None, "path": file} for file in files]):
        images = hub_dataset(table({"image": cells}), resolution=(6, 8))
        assert torch.equal(images.in_memory().pixels, expected)
    for grey in ([[0, 255]], [[[0], [255]]]):
        images = hub_dataset(table({"image": [grey]}), resolution=(1, 2), channels=1)
        assert images[0].tolist() == [[[-1.0, 1.0]]]


def test_a_row_without_a_picture_is_named_or_skipped():
    good = png(pixels()[0])
    for bad in (None, b"no picture", [[300]], [[0.5]], [1], [[[1, 2]]], 7, {"bytes": None}):
        rows = Rows({"image": [bad, good]})
        with pytest.raises(ValueError, match="row 0 of column 'image' cannot be read"):
            hub_dataset(rows, resolution=4)[0]
        images = hub_dataset(rows, resolution=4, on_error="skip")
        with pytest.warns(UserWarning, match="row 0 of column 'image'"):
            assert torch.equal(images[0], images[1])


@pytest.mark.usefixtures("unchecked")
def test_other_tables_are_refused():
    rows = Rows({"img": [b""], "label": [0]})
    with pytest.raises(ValueError, match="no column 'image'; there are 'img', 'label'"):
        hub_dataset(rows, resolution=4)
    with pytest.raises(TypeError, match="one split; got a dictionary of 'train', 'test'"):
        hub_dataset({"train": rows, "test": rows}, resolution=4)
    with pytest.raises(TypeError, match="Load it without streaming"):
        hub_dataset(iter([{"image": b""}]), resolution=4)
    with pytest.raises(ValueError, match="at least one; got none"):
        hub_dataset(Rows({"image": []}), resolution=4)
    with pytest.raises(ValueError, match="channels must be 1 or 3"):
        hub_dataset(Rows({"image": [b""]}), resolution=4, channels=2)


def test_a_streamed_data_set_is_refused():
    datasets = pytest.importorskip(
        "datasets", reason="datasets and pyarrow are large: pip install datasets"
    )
    rows = datasets.Dataset.from_dict({"image": [b""]})
    with pytest.raises(TypeError, match="dictionary of 'train'"):
        hub_dataset(datasets.DatasetDict(train=rows), resolution=4)
    with pytest.raises(TypeError, match="IterableDataset"):
        hub_dataset(rows.to_iterable_dataset(), resolution=4)
