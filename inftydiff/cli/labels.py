"""What pictures are conditioned on: their class, or a vector each.

Labels come from a ``.npy`` file with an entry for each picture, in the order of the pictures (image
files are sorted by their paths): whole numbers from zero on are classes, rows of numbers are
vectors. Or each subfolder of the pictures' folder is a class; the first of them by name is 0. A
class is a condition of zeros and a one.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from inftydiff.cli.sources import split
from inftydiff.data._files import picture_files
from inftydiff.data._npy import read_array
from inftydiff.pipelines import InftyDiff

__all__ = ["SUBFOLDERS", "class_names", "condition_of", "read_labels", "split_labels"]

SUBFOLDERS = "subfolders"
"""In place of a file: the classes are the subfolders."""


def read_labels(labels: str, pictures: Path) -> Float[Tensor, "pictures conditions"]:
    """The condition of each picture.

    Args:
        labels: ``"subfolders"``, or the path of a ``.npy`` file.
        pictures: the folder or the file of the pictures.

    Raises:
        ValueError: if there is no such file, it holds something else, or the folder's pictures are
            not all in subfolders, of which there are two at least.
    """
    if labels == SUBFOLDERS:
        return _of_subfolders(pictures)
    try:
        values = read_array(Path(labels))
    except Exception as error:  # damaged files raise anything
        raise ValueError(
            f"{labels} cannot be read as labels: {error}. Give {SUBFOLDERS!r} or a .npy file."
        ) from error
    if values.ndim == 1 and values.size and values.dtype.kind in "iu":
        classes, numbers = np.unique(values, return_inverse=True)
        if not np.array_equal(classes, np.arange(len(classes))):
            raise ValueError(
                f"Classes are the whole numbers from 0 on, each with a picture; {labels} holds "
                f"{len(classes)} from {classes[0]} to {classes[-1]}. Number the classes anew."
            )
        return F.one_hot(torch.from_numpy(numbers)).float()
    if values.ndim == 2 and values.size and values.dtype.kind in "iuf":
        return torch.from_numpy(values.astype(np.float32))
    raise ValueError(
        f"Labels are classes, whole numbers from 0 on of shape (pictures,), or vectors of shape "
        f"(pictures, features); {labels} holds {values.dtype} of shape {values.shape}. Convert "
        "them first."
    )


def split_labels(
    conditions: Float[Tensor, "pictures conditions"], train: int, held_out: int, seed: int
) -> tuple[Float[Tensor, "train conditions"], Float[Tensor, "others conditions"]]:
    """Divide conditions as their pictures have been divided.

    Args:
        conditions: of all pictures, in their order.
        train: how many pictures there are to train on.
        held_out: how many are held out.
        seed: of the choice of those held out.

    Raises:
        ValueError: if there is not one condition a picture.
    """
    if len(conditions) != train + held_out:
        raise ValueError(
            f"There is one label a picture; got {len(conditions)} labels and {train + held_out} "
            "pictures."
        )
    kept, others = split(len(conditions), held_out, seed)
    return conditions[kept], conditions[others]


def condition_of(
    pipeline: InftyDiff, label: int | None, vector: tuple[float, ...] | None
) -> Float[Tensor, "conditions"] | None:
    """What samples are to be conditioned on.

    Args:
        pipeline: the model.
        label: a class, or None.
        vector: a condition's numbers, or None.

    Raises:
        ValueError: if both are given, or the model's prior takes no such condition.
    """
    if label is None and vector is None:
        return None
    if label is not None and vector is not None:
        raise ValueError("Give --label or --condition, and not both.")
    features = None if pipeline.prior is None else pipeline.prior.config.condition
    if features is None:
        raise ValueError(
            "This model draws samples of one kind only. For --label and --condition its prior is "
            "trained with `inftydiff train-prior --labels …`. This one has none: leave them out, "
            "or train it."
        )
    if label is not None:
        if not 0 <= label < features:
            raise ValueError(f"The classes of this model are 0 to {features - 1}; got {label}.")
        return F.one_hot(torch.tensor(label), features).float()
    condition = torch.tensor(vector)
    if len(condition) != features or not bool(condition.isfinite().all()):
        raise ValueError(
            f"This model is conditioned on {features} finite numbers; got --condition "
            f"{' '.join(map(str, condition.tolist()))}."
        )
    return condition


def class_names(pictures: Path) -> list[str]:
    """The subfolders that a folder's pictures are in, in the order of the classes.

    Raises:
        ValueError: if the folder does not exist or has no pictures.
    """
    places = [file.relative_to(pictures).parts for file in picture_files(pictures, None)]
    return sorted({parts[0] for parts in places if len(parts) > 1})


def _of_subfolders(pictures: Path) -> Float[Tensor, "pictures classes"]:
    """The classes of a folder's pictures."""
    if not pictures.is_dir():
        raise ValueError(
            f"--labels {SUBFOLDERS} is for a folder of pictures; {pictures} is none. Give a .npy "
            "file of labels."
        )
    places = [file.relative_to(pictures).parts for file in picture_files(pictures, None)]
    loose = ["/".join(parts) for parts in places if len(parts) == 1]
    names = class_names(pictures)
    if loose or len(names) < 2:
        found = f"{loose[0]} is in none" if loose else f"there is one, {names[0]}"
        raise ValueError(
            f"With --labels {SUBFOLDERS}, each picture of {pictures} is in the subfolder of its "
            f"class, of which there are two at least; {found}. Sort the pictures into subfolders, "
            "or give a .npy file of labels."
        )
    numbers = torch.tensor([names.index(parts[0]) for parts in places])
    return F.one_hot(numbers, len(names)).float()
