"""CelebA-HQ from the user's own copy."""

import re
from pathlib import Path

from inftydiff._typing import instance
from inftydiff.data._local_datasets import (
    Split,
    numbered,
    require_root,
    sized_folder,
    wanted_files,
)
from inftydiff.data.lazy import LazyImages, OnError

__all__ = ["celeba_hq"]

MASK_FOLDER = "CelebA-HQ-img"
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
PARTITION = "list_eval_partition.txt"
MAPPING_ROW = re.compile(r"\d+ \d+ \d+\.jpg")
PARTITION_ROW = re.compile(r"\d+\.jpg [012]")
COUNT = 30_000
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""What the numbers 0, 1 and 2 mean in CelebA's list."""

LAST = {"train": 162_770, "validation": 182_637, "test": 202_599}
"""The last of CelebA's pictures in each split, as its list has them."""

LAYOUT = (
    f"{MASK_FOLDER}/0.jpg to 29999.jpg (CelebAMask-HQ, which has {MAPPING} beside it) or "
    "data256x256/00001.jpg to 30000.jpg (or another size)"
)


def celeba_hq(
    root: str | Path,
    split: Split = "train",
    resolution: int | tuple[int, int] = 256,
    *,
    on_error: OnError = "raise",
) -> LazyImages:
    """The faces of CelebA-HQ, decoded when asked for.

    Of several sizes, the smallest that is large enough is read. The splits are those of CelebA:
    24,183 pictures to train on, 2,993 for validation and 2,824 for tests. They need
    ``CelebA-HQ-to-CelebA-mapping.txt``, which CelebAMask-HQ has, in the root or beside the
    pictures; ``list_eval_partition.txt`` of CelebA is read if it is there, and is known otherwise.
    In folders such as ``data256x256``, whose numbers begin at 1, picture k is number k − 1 of the
    mapping.

    Args:
        root: the folder that holds ``CelebA-HQ-img`` or ``data256x256``, or ``CelebAMask-HQ`` with
            the former in it, or one of these itself.
        split: ``"train"``, ``"validation"``, ``"test"``, or ``"all"`` for all 30,000, which needs
            no mapping.
        resolution: pixels a side, or ``(height, width)`` in pixels.
        on_error: what a damaged file does, see ``LazyImages``.

    Raises:
        ModuleNotFoundError: if the ``train`` extra is not installed.
        TypeError: if an argument is of another kind.
        ValueError: if there is no such folder, split or list, or the copy is smaller than asked
            for; the message says what is expected where. An incomplete copy is a warning.

    Example:
        Half the size of the smallest copy, which is averaged down::

            faces = celeba_hq("/data/CelebAMask-HQ", "train", 128)
    """
    instance(split, str, "split")
    if split not in (*SPLITS, "all"):
        raise ValueError(f"The splits are {', '.join((*SPLITS, 'all'))}; got {split!r}.")
    folder = require_root(root, "CelebA-HQ")
    roots = [folder, folder / "CelebAMask-HQ"]
    pictures = sized_folder(roots, _size, resolution, "CelebA-HQ", LAYOUT)
    files = numbered(pictures, "CelebA-HQ", LAYOUT)
    if pictures.resolve().name != MASK_FOLDER and 0 not in files:
        files = {number - 1: name for number, name in files.items()}
    lists = [*roots, pictures, pictures.resolve().parent]
    wanted = range(COUNT) if split == "all" else _members(lists, split)
    what = "CelebA-HQ" if split == "all" else f"CelebA-HQ's split {split!r}"
    return wanted_files(pictures, files, wanted, resolution, on_error, what)


def _size(name: str) -> int | None:
    """The pixels a side that a folder's name stands for."""
    if name == MASK_FOLDER:
        return 1024
    match = re.fullmatch(r"data(\d+)x\1", name)
    return None if match is None else int(match[1])


def _members(folders: list[Path], split: Split) -> list[int]:
    """The numbers of the pictures of a split."""
    mapping = _list(folders, MAPPING)
    if mapping is None:
        raise ValueError(
            f"The splits of CelebA-HQ need {MAPPING} (it comes with CelebAMask-HQ) in "
            f'{folders[0]} or beside the pictures. Put it there, or take split="all".'
        )
    partition = _list(folders, PARTITION)
    known = None if partition is None else {name: SPLITS[int(part)] for name, part in partition}
    members = []
    for number, _, original in mapping:
        if known is not None and original not in known:
            raise ValueError(f"{PARTITION} lacks {original}, which {MAPPING} names. Replace it.")
        if (_split_of(original) if known is None else known[original]) == split:
            members.append(int(number))
    return members


def _split_of(original: str) -> str:
    """The split of one of CelebA's files, such as ``119614.jpg``."""
    number = int(Path(original).stem)
    return next((split for split, last in LAST.items() if number <= last), "none")


def _list(folders: list[Path], name: str) -> list[list[str]] | None:
    """The rows of a list, without its header, or None if there is no such file."""
    file = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if file is None:
        return None
    text = file.read_text(encoding="utf-8", errors="replace")
    rows = [line.split() for line in text.splitlines() if line.strip()]
    good = MAPPING_ROW if name == MAPPING else PARTITION_ROW
    if rows and good.fullmatch(" ".join(rows[0])) is None:
        rows = rows[1:]  # the header
    if any(good.fullmatch(" ".join(row)) is None for row in rows):
        raise ValueError(f"{file} is not the list that is published under this name. Replace it.")
    return rows
