"""The contents of a value: tensors and numbers, a fingerprint, and whether all are finite."""

import dataclasses
import hashlib
import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

__all__ = ["differ", "fingerprint", "finite", "leaves"]

DEEP = 8
"""The depth to which values within values are followed."""


def leaves(value: Any, depth: int = DEEP) -> Iterator[Any]:
    """The tensors, arrays, numbers and words in a value, in their order."""
    if isinstance(value, torch.Tensor | np.ndarray | numbers.Number | str | bytes) or depth == 0:
        yield value
    elif isinstance(value, torch.nn.Module):
        for name, tensor in value.state_dict().items():
            yield name
            yield tensor
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.name.startswith("_"):
                continue  # what an object keeps to itself, such as what it has computed before
            yield from leaves(getattr(value, field.name, None), depth - 1)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(key, depth - 1)
            yield from leaves(item, depth - 1)
    elif isinstance(value, tuple | list | set | frozenset):
        yield len(value)
        for item in list(value):
            yield from leaves(item, depth - 1)


def fingerprint(value: Any) -> str:
    """A digest of what is in a value."""
    digest = hashlib.sha256()
    for leaf in leaves(value):
        array = _array(leaf)
        if array is not None:
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes() if array.dtype != object else repr(array).encode())
        elif isinstance(leaf, torch.Tensor):
            digest.update(f"{leaf.dtype}{tuple(leaf.shape)}{leaf.device}".encode())
        else:
            digest.update(repr(leaf)[:1000].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def finite(value: Any, *, tensors: bool = True) -> bool:
    """Say whether the numbers in a value are finite; infinite bounds by design are Python's own.

    Args:
        value: the value.
        tensors: whether to look into tensors and arrays, or at single numbers alone.
    """
    for leaf in leaves(value):
        if isinstance(leaf, int):
            continue
        if isinstance(leaf, numbers.Real) and not math.isfinite(leaf):
            return False
        if tensors:
            array = _array(leaf)
            if array is not None and array.dtype.kind in "fc" and not np.isfinite(array).all():
                return False
    return True


def differ(first: Any, second: Any) -> bool:
    """Say whether two answers differ by more than rounding."""
    ours, others = list(leaves(first)), list(leaves(second))
    if len(ours) != len(others):
        return True
    for one, other in zip(ours, others, strict=True):
        a, b = _array(one), _array(other)
        if a is None or b is None:
            if not isinstance(one, str | bytes) and type(one) is type(other) and one != other:
                return True
            continue
        if a.shape != b.shape:
            return True
        if a.dtype.kind in "biufc" and b.dtype.kind in "biufc":
            close = np.isclose(a.astype(complex), b.astype(complex), 1e-3, 1e-4, equal_nan=True)
            if not close.all():
                return True
    return False


def _array(leaf: Any) -> Any:
    if isinstance(leaf, torch.Tensor):
        if leaf.device.type == "meta" or leaf.layout != torch.strided:
            return None
        leaf = leaf.detach()
        if leaf.dtype in (torch.bfloat16, torch.float16):
            leaf = leaf.float()
        return leaf.resolve_conj().resolve_neg().numpy()
    if isinstance(leaf, np.ndarray | np.generic):
        return np.asarray(leaf)
    if isinstance(leaf, numbers.Number) and not isinstance(leaf, int | bool):
        try:
            return np.asarray(complex(leaf))
        except (OverflowError, TypeError, ValueError):
            return None
    if isinstance(leaf, int):
        return np.asarray(complex(leaf)) if abs(leaf) < 2**1000 else None
    return None
