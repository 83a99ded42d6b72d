"""A folder of image files of any size, read picture by picture."""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, final

from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff._extras import extra
from inftydiff._typing import (
    a_path,
    choice,
    flag,
    whole,
)
from inftydiff.data._files import picture_files
from inftydiff.data._resize import Reduction, pixel_shape
from inftydiff.data.lazy import FileSource, LazyImages, OnError, check_on_error

__all__ = ["ImageFolder"]


@final
class ImageFolder(Dataset[Tensor]):
    r"""Pictures of a folder, decoded when asked for: float32 ``(c, h, w)`` in :math:`[-1, 1]`.

    The files are listed and looked at once, when the folder is opened; each is decoded whenever it
    is asked for, by the workers of a ``DataLoader`` if it has some. What a picture becomes is what
    it becomes with ``image_folder``: upright, laid over the background where it is transparent,
    cropped at the centre to the wanted proportions, and averaged over cells.

    With ``longest``, the proportions are those of most files: every file is scaled in thought so
    that its longest side has so many pixels, and the commonest shape (of several, the one met
    first) is that of all. Files of other proportions are cropped to it, or refused.

    A file that cannot be read is fatal or left out, as asked. Looking at the files finds what is
    no picture, what has more than eight bits a channel, and, with ``check``, damage that the
    format's checksums show (all of PNG's; JPEG has none). A file that fails only when it is decoded
    ends the program, or the next good one stands in for it with a warning: see ``LazyImages``.

    Args:
        path: the folder; its subfolders are searched too.
        resolution: pixels a side, or ``(height, width)`` in pixels.
        longest: instead of ``resolution``: pixels of the longest side.
        channels: 3 for colours (grey files get three equal channels), 1 for grey (colours become
            their luma).
        pattern: which files to read, as a glob relative to the folder, such as ``"*/*.jpg"``; by
            default every file whose name ends as those of a format that PIL decodes and starts with
            no dot. Links to folders are followed; files of other names are named in a warning.
        background: six hexadecimal digits, what shows through transparent pixels.
        others: what happens to files of other proportions than those of ``longest``, ``"crop"`` or
            ``"raise"``.
        check: read every file once to find damage; without it a folder opens at once, and only
            ``longest`` looks at the files' heads.
        workers: threads that look at the files; by default a few more than there are cores.
        progress: show a progress bar meanwhile.
        on_error: ``"raise"`` names every file that cannot be read; ``"skip"`` warns of them and
            leaves them out.

    Attributes:
        path: the folder.
        files: the names of the files, relative to the folder, in the order of the pictures.
        pictures: the pictures as ``LazyImages``.

    Raises:
        ModuleNotFoundError: if the ``train`` extra is not installed.
        TypeError: if an argument is of another kind.
        ValueError: if the folder does not exist or has no such files, if not exactly one of
            ``resolution`` and ``longest`` is given, if another argument is out of range, if files
            cannot be read (any, or all of them with ``"skip"``), or if with ``others="raise"`` some
            have other proportions.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, size in {"a": (60, 40), "b": (90, 60), "c": (40, 40)}.items():
        ...         Image.new("L", size, 255).save(f"{folder}/{name}.png")
        ...     images = ImageFolder(folder, longest=24, channels=1, progress=False)
        ...     images, images[2].mean()
        (ImageFolder(n=3, c=1, h=16, w=24), tensor(1.))
    """

    def __init__(
        self,
        path: str | Path,
        resolution: int | tuple[int, int] | None = None,
        *,
        longest: int | None = None,
        channels: Literal[1, 3] = 3,
        pattern: str | None = None,
        background: str = "ffffff",
        others: Literal["crop", "raise"] = "crop",
        check: bool = True,
        workers: int | None = None,
        progress: bool = True,
        on_error: OnError = "raise",
    ) -> None:
        if (resolution is None) == (longest is None):
            raise ValueError(
                "An ImageFolder takes either resolution or longest; got "
                f"resolution={resolution} and longest={longest}."
            )
        choice(others, ("crop", "raise"), "others")
        check_on_error(on_error)
        flag(check, "check")
        flag(progress, "progress")
        threads = None if workers is None else whole(workers, "workers")
        shape = None if resolution is None else pixel_shape(resolution)
        side = 1 if longest is None else whole(longest, "longest")
        reduction = Reduction(shape or (side, side), channels, background)
        self.path = a_path(path, "path")
        files = picture_files(self.path, pattern)
        if check or shape is None:
            files, sizes = _look(files, check, threads, progress, on_error)
            if shape is None:
                shape = _common_shape(files, sizes, side, others)
                reduction = Reduction(shape, channels, background)
        self.files = tuple(file.relative_to(self.path).as_posix() for file in files)
        self.pictures = LazyImages(FileSource(self.path, self.files), reduction, on_error)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of every picture."""
        return self.pictures.shape

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        r"""Read one picture: float32, shape ``(c, h, w)``, in :math:`[-1, 1]`.

        Raises:
            IndexError: if there is no such picture.
            UnreadableSample: if the file (with ``on_error="skip"``: every file) cannot be read.
        """
        return self.pictures[index]

    def __repr__(self) -> str:
        c, h, w = self.shape
        return f"ImageFolder(n={len(self)}, c={c}, h={h}, w={w})"

    def select(self, indices: Iterable[int]) -> LazyImages:
        """Some of the pictures, such as a part to train on; only they stand in for each other."""
        return self.pictures.select(indices)


def _look(
    files: Sequence[Path], check: bool, threads: int | None, progress: bool, on_error: OnError
) -> tuple[list[Path], list[tuple[int, int]]]:
    """The files that can be read, and their heights and widths."""
    from inftydiff.data._image_io import upright_size
    from inftydiff.data._opening import large_pictures

    with extra("train"):
        from tqdm import tqdm

    def look(file: Path) -> tuple[int, int] | Exception:
        try:
            return upright_size(file, check)
        except Exception as error:  # damaged files raise anything
            return error

    with large_pictures(), ThreadPoolExecutor(threads) as executor:
        outcomes = executor.map(look, files)
        seen = list(tqdm(outcomes, "Looking", total=len(files), unit="file", disable=not progress))
    bad = [
        f"{file} ({outcome})"
        for file, outcome in zip(files, seen, strict=True)
        if isinstance(outcome, Exception)
    ]
    if bad:
        report = f"{len(bad)} of {len(files)} files cannot be read: {'; '.join(bad)}."
        if on_error == "raise" or len(bad) == len(files):
            raise ValueError(f'{report} Remove or repair them, or pass on_error="skip".')
        warnings.warn(f"{report} They are left out.", stacklevel=3)
    good, sizes = [], []
    for file, outcome in zip(files, seen, strict=True):
        if not isinstance(outcome, Exception):
            good.append(file)
            sizes.append(outcome)
    return good, sizes


def _common_shape(
    files: Sequence[Path],
    sizes: Sequence[tuple[int, int]],
    longest: int,
    others: Literal["crop", "raise"],
) -> tuple[int, int]:
    """The commonest shape of the pictures once their longest side has so many pixels."""
    shapes = [_scaled(size, longest) for size in sizes]
    (shape, _), *_ = Counter(shapes).most_common(1)
    odd = [f"{file}" for file, other in zip(files, shapes, strict=True) if other != shape]
    if odd and others == "raise":
        raise ValueError(
            f"Most pictures become {shape[0]} rows and {shape[1]} columns; {len(odd)} of "
            f"{len(files)} have other proportions: {'; '.join(odd)}. Sort them out, or pass "
            'others="crop".'
        )
    return shape


def _scaled(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Height and width with the longest side as given, in whole pixels."""
    height, width = size
    side = max(size)
    return max(1, round(height * longest / side)), max(1, round(width * longest / side))
