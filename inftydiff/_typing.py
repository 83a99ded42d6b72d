"""Types and argument checks that every layer shares."""

import math

import torch
from torch import Tensor

__all__ = [
    "Real",
    "Scalar",
    "check_device",
    "check_finite",
    "expand_trailing",
    "positive",
    "whole",
]

Real = float | int
"""A Python number: unlike a type checker, the checks at run time do not take an int for a float."""

Scalar = Real | Tensor
"""A Python number, or a tensor of shape ``()`` or ``(batch,)`` with one number a sample."""


def positive(value: Real, name: str) -> float:
    """Return ``value`` as a float, refusing what is not a finite number above zero.

    Raises:
        ValueError: if the number is zero, negative, infinite or NaN; ``name`` says which it was.
    """
    number = float(value)
    if not (number > 0.0 and math.isfinite(number)):
        raise ValueError(f"{name} must be a finite number above 0; got {value!r}.")
    return number


def whole(value: Real, name: str) -> int:
    """Return ``value`` as an integer, refusing what is not a whole number of at least one.

    Raises:
        ValueError: if the number is fractional or below one; ``name`` says which it was.
    """
    number = int(value)
    if number != value or number < 1:
        raise ValueError(f"{name} must be a whole number of at least 1; got {value!r}.")
    return number


def check_finite(values: Tensor, name: str) -> Tensor:
    """Return ``values``, refusing NaN and infinity.

    Raises:
        ValueError: if any value is NaN or infinite; the message counts them.
    """
    bad = int((~torch.isfinite(values)).sum())
    if bad:
        raise ValueError(
            f"{name} must be finite; got {bad} NaN or infinite of {values.numel()} values. "
            "Clean the data first."
        )
    return values


def check_device(found: torch.device, expected: torch.device, names: str, advice: str) -> None:
    """Refuse what lies on another device than what it meets.

    Raises:
        ValueError: if the devices differ; ``names`` says of which two, and ``advice`` what to do.
    """
    if found != expected:
        raise ValueError(f"{names} lie on one device; got {found} and {expected}. {advice}")


def expand_trailing(scalar: Scalar, like: Tensor, trailing: int) -> Scalar:
    """Shape a per-sample scalar so that it multiplies ``like`` sample by sample.

    Args:
        scalar: a number, or a tensor of shape ``()`` or ``(*batch)``.
        like: the tensor to be multiplied, of shape ``(*batch, …)``.
        trailing: how many axes of ``like`` follow its batch axes.

    Returns:
        The number, or a tensor of shape ``(*batch, 1, …, 1)`` in the dtype and place of ``like``.

    Raises:
        ValueError: if the scalar's axes are not the batch axes of ``like``.
    """
    if not isinstance(scalar, Tensor):
        return scalar
    scalar = scalar.to(like)
    if scalar.ndim == 0:
        return scalar
    batch = tuple(like.shape[: like.ndim - trailing])
    if tuple(scalar.shape) != batch:
        raise ValueError(
            f"A scalar must be a number or a tensor of shape {batch}, one number a sample; "
            f"got shape {tuple(scalar.shape)}."
        )
    return scalar.reshape(*batch, *(1,) * trailing)
