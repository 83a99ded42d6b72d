"""Comparison by value of dataclasses that hold tensors.

The comparison that a dataclass is given asks a tensor for its truth, which one of several entries
does not have; comparison by identity takes equal values for different ones. Here two values are
equal if they are of one class and their fields are equal, a tensor's entry by entry. A tensor
without axes equals the number that it holds. Equal values have equal hashes.
"""

from abc import ABC
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

__all__ = ["ByValue"]


class ByValue(ABC):  # noqa: B024
    """The equality and the hash of frozen dataclasses made with ``eq=False``.

    Comparing costs what comparing the tensors costs; a hash looks at their shapes, and at the
    number in one without axes.

    Example:
        >>> from inftydiff import gaussian_mollifier
        >>> torch.ones(3) * gaussian_mollifier(0.1) == torch.ones(3) * gaussian_mollifier(0.1)
        True
    """

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(one, two) for one, two in zip(_parts(self), _parts(other), strict=True))

    def __hash__(self) -> int:
        return hash((type(self), *map(_hashable, _parts(self))))


def _parts(value: Any) -> list[Any]:
    return [getattr(value, part.name) for part in fields(value) if part.compare]


def _same(one: Any, two: Any) -> bool:
    if one is two:
        return True
    if not (isinstance(one, Tensor) or isinstance(two, Tensor)):
        return bool(one == two)
    if not (isinstance(one, Tensor) and isinstance(two, Tensor)):
        number, tensor = (two, one) if isinstance(one, Tensor) else (one, two)
        return isinstance(number, float | int) and tensor.ndim == 0 and tensor.item() == number
    if one.shape != two.shape or one.is_meta or two.is_meta:
        return False
    two = two.to(one.device)
    return torch.equal(one, two) if one.dtype == two.dtype else bool((one == two).all())


def _hashable(part: Any) -> Any:
    if not isinstance(part, Tensor):
        return part
    return part.item() if part.ndim == 0 and not part.is_meta else tuple(part.shape)
