"""Vector faces, rendered at any resolution from whole-number seeds and kept in a cache.

Seed k of a style is one picture, whatever the resolution: a render at n² pixels is nearly the
average of that picture over each of n² cells.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int64
from numpy import ndarray

from inftydiff._extras import extra
from inftydiff._typing import (
    a_path,
    checked_seed,
    entries,
    flag,
    instance,
    whole,
)
from inftydiff._writing import require_writable
from inftydiff.data.cache import VARIABLE, cache_folder
from inftydiff.data.images import Images

__all__ = ["face_credit", "face_seeds", "face_styles", "faces"]

SEEDS = {
    "train": range(0, 1_000_000),
    "validation": range(1_000_000, 2_000_000),
    "test": range(2_000_000, 3_000_000),
}
MOST_SEEDS = 10**8
"""The most faces that are drawn at once."""

BLOCKS_PER_WORKER = 4
"""A worker process takes about as long to start as so many blocks take to draw."""


def face_seeds(split: Literal["train", "validation", "test"], count: int) -> range:
    """The first seeds of a split; no seed belongs to two splits.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        count: how many, at most a million.

    Raises:
        ValueError: if there is no such split, or it has not so many seeds.

    Example:
        >>> face_seeds("test", 3)
        range(2000000, 2000003)
    """
    instance(split, str, "split")
    if split not in SEEDS:
        raise ValueError(f"The splits are {', '.join(SEEDS)}; got {split!r}.")
    count = whole(count, "count")
    if count > len(SEEDS[split]):
        raise ValueError(
            f"Split {split!r} has {len(SEEDS[split])} seeds; got count={count}. Ask for fewer."
        )
    return SEEDS[split][:count]


def face_styles() -> tuple[str, ...]:
    """Names of the styles that ``faces`` draws, sorted.

    Raises:
        ModuleNotFoundError: if the ``demo`` extra is not installed.

    Example:
        >>> "toon-head" in face_styles()
        True
    """
    from inftydiff.data._avatars import style_names

    return style_names()


def face_credit(style: str) -> str:
    """Who made a style and under which licence, to be printed beside its pictures.

    Args:
        style: one of ``face_styles()``.

    Raises:
        ModuleNotFoundError: if the ``demo`` extra is not installed.
        TypeError: if an argument is of another kind.
        ValueError: if there is no such style.

    Example:
        >>> print(face_credit("cutouts"))
        "Cutouts" by DiceBear (https://www.dicebear.com), CC0 1.0
        (https://creativecommons.org/publicdomain/zero/1.0/)
    """
    from inftydiff.data._avatars import definition

    about = definition(style)["meta"]
    source, creator, licence = about["source"], about["creator"], about["license"]
    return (
        f'"{source["name"]}" by {creator["name"]} ({source["url"]}), '
        f"{licence['name']} ({licence['url']})"
    )


def faces(
    style: str = "toon-head",
    seeds: Sequence[int] = range(1000),
    resolution: int = 64,
    *,
    background: str = "b6e3f4",
    cache: str | Path | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Images:
    """Vector faces, one a seed, in the order of the seeds.

    What has been drawn before is read from the cache. The rest is drawn in blocks of consecutive
    seeds by several processes, which import nothing of the caller's: scripts need no guard, and
    notebooks and standard input do as well. Many processes may draw the same faces at the same
    time.

    Args:
        style: one of ``face_styles()``.
        seeds: whole numbers from zero to 2⁵³, such as ``face_seeds("train", 5000)``.
        resolution: pixels a side.
        background: six hexadecimal digits; styles that fill the square do not show it.
        cache: the cache folder; by default ``cache_folder()``.
        workers: processes that draw, one meaning this process; by default as many as there are
            cores, and fewer where there is little to draw.
        progress: show a progress bar while faces are drawn.

    Returns:
        Eight-bit pictures, shape ``(len(seeds), 3, resolution, resolution)``.

    Raises:
        ModuleNotFoundError: if the ``demo`` extra is not installed.
        TypeError: if an argument is of another kind.
        ValueError: if there is no such style, no seed, or an argument is out of range, before
            anything is written; or if the cache folder cannot be written to.
        ChildProcessError: if a process that draws does not start, is killed or fails; what was
            drawn before is kept.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as cache:
        ...     faces(seeds=[7, 3], resolution=16, cache=cache, progress=False)
        Images(n=2, c=3, h=16, w=16, uint8)
    """
    from inftydiff.data._avatars import definition, versions
    from inftydiff.data._blocks import Block, block_length
    from inftydiff.data._drawing import draw_all
    from inftydiff.data._image_io import hex_colour

    with extra("demo"):
        from tqdm import tqdm

    definition(style)
    flag(progress, "progress")
    wanted = _seeds(seeds)
    resolution = whole(resolution, "resolution")
    background = hex_colour(background, "background")
    limit = (os.cpu_count() or 1) if workers is None else whole(workers, "workers")

    root = cache_folder() if cache is None else a_path(cache, "cache")
    folder = root / "faces" / style / background / str(resolution) / versions()
    require_writable(folder, f"Pass cache=, or set {VARIABLE}, to another folder.")

    length = block_length(resolution)
    pixels = np.empty((len(wanted), 3, resolution, resolution), dtype=np.uint8)
    starts, which, counts = np.unique(
        wanted // length * length, return_inverse=True, return_counts=True
    )
    members = np.split(np.argsort(which, kind="stable"), np.cumsum(counts)[:-1])
    missing = {}
    for start, rows in zip(starts.tolist(), members, strict=True):
        block = Block(folder, style, background, resolution, start)
        drawn = block.load()
        if drawn is None:
            missing[block] = rows
        else:
            pixels[rows] = drawn[wanted[rows] - start]

    share = 1 if workers is not None else BLOCKS_PER_WORKER
    processes = max(1, min(limit, len(missing) // share))
    total = len(missing) * length
    silent = not progress or not missing
    with tqdm(desc=f"Drawing {style}", total=total, unit="face", disable=silent) as bar:
        for block, drawn in zip(missing, draw_all(list(missing), processes), strict=True):
            rows = missing[block]
            pixels[rows] = drawn[wanted[rows] - block.start]
            bar.update(length)
    return Images(torch.from_numpy(pixels))


def _seeds(seeds: Sequence[int]) -> Int64[ndarray, "n"]:
    """The seeds as an array, checked."""
    numbers = [
        checked_seed(seed, "A seed of a face") for seed in entries(seeds, "seeds", most=MOST_SEEDS)
    ]
    if not numbers:
        raise ValueError("faces takes at least one seed; got none.")
    wrong = [seed for seed in numbers if seed >= 2**53]
    if wrong:
        raise ValueError(f"Seeds of faces are whole numbers from 0 to 2**53; got {wrong[0]}.")
    return np.array(numbers, dtype=np.int64)
