"""Tensors in safetensors, read against what is expected of them.

The header of a file says the names, shapes and kinds of its tensors, and is compared with those of
the model before any of them is read. So a file of another model costs no memory. The names are
those of a module's parts, as no wrapper of PyTorch has changed them.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from inftydiff._extras import extra
from inftydiff._reading import require_regular

__all__ = [
    "apart",
    "as_loaded",
    "as_stored",
    "cast_weights",
    "check_names",
    "check_precision",
    "digest",
    "is_wrapper",
    "keeps_tensors",
    "parts_of",
    "plain_names",
    "read_tensors",
]

SHOWN = 3
"""The most names of weights that an error lists."""

KINDS = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "BOOL": torch.bool,
}
"""The kinds of numbers that are told apart; all others are taken for bytes."""


def as_stored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as a file holds them: complex ones as pairs of real numbers, on a last axis.

    Example:
        >>> as_stored({"w": torch.zeros(3, dtype=torch.complex64)})["w"].shape
        torch.Size([3, 2])
    """
    return {
        name: torch.view_as_real(value.resolve_conj()) if value.is_complex() else value
        for name, value in tensors.items()
    }


def as_loaded(stored: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what :func:`as_stored` was given, complex again where a model's state is.

    Complex numbers have 32 bits a part at least: PyTorch has none of bfloat16.

    Args:
        stored: the tensors of a file.
        like: the model's state.
    """
    return {
        name: _paired(value) if like[name].is_complex() else value for name, value in stored.items()
    }


def read_tensors(
    file: Path, check: Callable[[Mapping[str, Tensor]], None], *, within: Path
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors of a file, and what else it says of them.

    Args:
        file: the file.
        check: refuses others than those wanted; it is given tensors with the file's names, shapes
            and kinds, and without values.
        within: the folder that a link may not lead out of.

    Raises:
        ValueError: if it is no such file, or ``check`` refuses what it holds.
    """
    with extra("train"):
        from safetensors import SafetensorError, safe_open

    try:
        require_regular(file, within=within)
        with safe_open(file, framework="pt") as opened:
            names = list(opened.keys())
            slices = {name: opened.get_slice(name) for name in names}
            header = {
                name: torch.empty(
                    part.get_shape(), dtype=KINDS.get(part.get_dtype(), torch.uint8), device="meta"
                )
                for name, part in slices.items()
            }
            check(header)
            # copies: a tensor within the mapped file changes with it, and begins at an address at
            # which kernels may round otherwise
            tensors = {name: opened.get_tensor(name).clone() for name in names}
            metadata = opened.metadata() or {}
    except (OSError, RuntimeError, SafetensorError) as error:  # torch opens the file once more
        raise ValueError(f"{file} cannot be read as safetensors: {error}. Get it again.") from error
    return tensors, metadata


def check_names(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], *, source: str
) -> None:
    """Refuse tensors that are not those of a model by their names, shapes or kinds.

    Args:
        expected: the model's state, of which names and shapes are read.
        found: the tensors, or what a file's header says of them.
        source: what holds them, for the message.

    Raises:
        ValueError: if tensors are missing, unexpected, of another shape, sparse, or of another kind
            of numbers: those of floating point may differ in their precision.
    """
    both = sorted(expected.keys() & found.keys())
    wrong = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "of another shape": [
            f"{name} {tuple(found[name].shape)} for {tuple(expected[name].shape)}"
            for name in both
            if found[name].shape != expected[name].shape
        ],
        "of other numbers": [
            f"{name} {found[name].dtype} for {expected[name].dtype}"
            for name in both
            if not _alike(found[name].dtype, expected[name].dtype)
        ],
        "sparse": [name for name in both if found[name].layout != torch.strided],
    }
    if any(wrong.values()):
        said = "; ".join(f"{what}: {_some(names)}" for what, names in wrong.items() if names)
        raise ValueError(
            f"{source} does not hold the weights of this model, as its configuration makes it. "
            f"{said[0].upper()}{said[1:]}. Get the weights and the configuration from one place."
        )


def cast_weights(
    tensors: Mapping[str, Tensor], dtypes: Mapping[str, torch.dtype], *, source: str
) -> dict[str, Tensor]:
    """Cast weights, refusing those that have no values, or none that is finite when cast.

    Args:
        tensors: the weights.
        dtypes: what each is cast to.
        source: what holds them, for the message.

    Raises:
        ValueError: if weights lie on the meta device, or are not finite; the message names them.
    """
    empty = [name for name in sorted(tensors) if tensors[name].is_meta]
    if empty:
        raise ValueError(
            f"{source} has weights without values, on the meta device: {_some(empty)}. Load some."
        )
    cast = {name: value.detach().to(dtypes[name]) for name, value in tensors.items()}
    broken = [name for name in sorted(cast) if not _finite(cast[name])]
    if broken:
        too_large = all(_finite(tensors[name]) for name in broken)
        advice = f" They are too large for {cast[broken[0]].dtype}; ask for another dtype."
        raise ValueError(
            f"{source} has weights that are not finite: {_some(broken)}."
            + (advice if too_large else " Get them again.")
        )
    return cast


def check_precision(dtype: torch.dtype) -> None:
    """Refuse a dtype that weights are not stored or computed in.

    Raises:
        ValueError: if it is not of floating point.
    """
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(
            "Weights are of floating point, such as torch.float32 or torch.bfloat16; got "
            f"dtype={dtype}."
        )


def digest(tensors: Mapping[str, Tensor]) -> str:
    """A fingerprint of names, shapes, dtypes and values."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _paired(value: Tensor) -> Tensor:
    """Pairs of real numbers, on the last axis, as complex numbers."""
    wide = torch.promote_types(value.dtype, torch.float32)
    return torch.view_as_complex(value.to(wide).contiguous())


def _alike(found: torch.dtype, expected: torch.dtype) -> bool:
    """Say whether numbers of one kind may be read as those of another."""
    return found == expected or (found.is_floating_point and expected.is_floating_point)


def _finite(value: Tensor) -> bool:
    if value.is_floating_point() and value.element_size() == 1:  # which PyTorch does not ask
        value = value.float()
    return bool(value.isfinite().all())


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
}
"""PyTorch's modules that hold another one and compute as it does, and what they call it."""


def keeps_tensors(part: nn.Module) -> bool:
    """Say whether a module has tensors that are no part of its state."""
    return bool(part._non_persistent_buffers_set) or any(
        isinstance(value, Tensor) for value in vars(part).values()
    )


def is_wrapper(part: nn.Module) -> bool:
    """Say whether a module is one of PyTorch's around another."""
    kind = type(part)
    return kind.__name__ in WRAPPERS and kind.__module__.startswith("torch.")


def parts_of(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Return every part by its name, under all its names."""
    return model.named_modules(remove_duplicate=False)


def plain_names(model: nn.Module) -> Callable[[str], str]:
    """Return the map from names to those without what PyTorch's wrappers call what they hold."""
    wrappers = {name for name, part in parts_of(model) if is_wrapper(part)}

    def plain(name: str) -> str:
        parts = name.split(".")
        paths = [".".join(parts[:i]) for i in range(len(parts))]
        return ".".join(p for p, path in zip(parts, paths, strict=True) if path not in wrappers)

    return plain


def apart(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights, with copies of those that share their memory or are a part of more."""
    seen: set[int] = set()
    found = {}
    for name, value in state.items():
        if not value.is_meta and value.layout == torch.strided:
            storage = value.untyped_storage()
            if storage.data_ptr() in seen or storage.nbytes() > value.numel() * value.itemsize:
                value = value.detach().clone()
            seen.add(storage.data_ptr())
        found[name] = value
    return found
