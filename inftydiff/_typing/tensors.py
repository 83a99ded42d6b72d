"""Checks of tensors: of their dtypes, and where asked of their values."""

import math

import torch
from torch import Tensor

from inftydiff._typing.kinds import FLOATING
from inftydiff._typing.numbers import MOST_VALUES, Real, number
from inftydiff._typing.shown import kind_of, shown

__all__ = [
    "Scalar",
    "check_device",
    "check_finite",
    "check_size",
    "expand_trailing",
    "floating",
    "integers",
    "scalar",
    "times",
]

Scalar = Real | Tensor
"""A Python number, or a tensor of shape ``()`` or ``(batch,)`` with one number a sample."""


def floating(values: Tensor | None, name: str, *, held: bool = True) -> Tensor:
    """Return ``values``, refusing what is no tensor of floating-point numbers that holds values.

    Integers, bools and complex numbers are refused, as are sparse and nested tensors.

    Args:
        values: what is to be a tensor.
        name: the subject of the message.
        held: whether tensors on meta are refused, which have shapes and no values.

    Raises:
        TypeError: if the values are of another kind.
    """
    if not isinstance(values, Tensor) or values.dtype not in FLOATING:
        raise TypeError(
            f"{name} must be a floating-point tensor; got {kind_of(values)}."
            + (" Convert it first, as by .float()." if isinstance(values, Tensor) else "")
        )
    if values.layout is not torch.strided:
        _check_layout(values, name)
    if held and values.is_meta:
        _check_held(values, name)
    return values


def integers(values: Tensor, name: str) -> Tensor:
    """Return ``values``, refusing what is no tensor of integers that holds values.

    Raises:
        TypeError: if the values are of another kind; bools are none.
    """
    other = not isinstance(values, Tensor) or values.is_floating_point() or values.is_complex()
    if other or values.dtype is torch.bool:
        raise TypeError(f"{name} must be integer; got {kind_of(values)}.")
    _check_layout(values, name)
    _check_held(values, name)
    return values


def scalar(value: Scalar, name: str, *, most: Real = math.inf) -> Scalar:
    """Return a number as a float, or a tensor of numbers as it is, refusing all else.

    Args:
        value: a number, or a tensor, whose values are not read.
        name: the subject of the message.
        most: the largest size of a number.

    Raises:
        TypeError: if the value is neither a real number nor a floating-point tensor.
        ValueError: if a number is NaN, infinite or too large.
    """
    if isinstance(value, Tensor):
        return floating(value, name)
    return number(value, name, least=-most, most=most)


def times(t: Tensor, name: str = "Times") -> Tensor:
    """Return ``t``, refusing what are no floating-point numbers in [0, 1].

    Raises:
        TypeError: if the times are no floating-point tensor.
        ValueError: if there is none, or one lies outside [0, 1] or is NaN.
    """
    floating(t, name)
    if t.numel() == 0:
        raise ValueError(f"{name} are one a sample; got {tuple(t.shape)}, none.")
    if not bool(((t >= 0.0) & (t <= 1.0)).all()):
        raise ValueError(f"{name} lie in [0, 1]; got {t.min().item():g} to {t.max().item():g}.")
    return t


def _check_held(values: Tensor, name: str) -> None:
    if values.is_meta:
        raise TypeError(f"{name} must hold values; got {kind_of(values)}. Make it on a device.")


def _check_layout(values: Tensor, name: str) -> None:
    if values.layout is not torch.strided:
        raise TypeError(
            f"{name} must be a dense tensor; got one of layout {values.layout}. Make it dense, as "
            "by .to_dense()."
        )


def check_finite(values: Tensor, name: str) -> Tensor:
    """Return ``values``, refusing NaN and infinity.

    Raises:
        TypeError: if there are no values, as on meta.
        ValueError: if any value is NaN or infinite; the message counts them.
    """
    _check_held(values, name)
    bad = int((~torch.isfinite(values)).sum())
    if bad:
        raise ValueError(
            f"{name} must be finite; got {bad} NaN or infinite of {values.numel()} values. "
            "Clean the data first."
        )
    return values


def check_size(size: int, name: str) -> None:
    """Refuse to compute more values than a machine holds.

    Raises:
        ValueError: if there are more than :data:`MOST_VALUES`.
    """
    if size > MOST_VALUES:
        raise ValueError(f"{name} are at most 2³³ values; got {size}. Take fewer, or a part.")


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
        TypeError: if the scalar is neither a real number nor a tensor of them.
        ValueError: if the scalar's axes are not the batch axes of ``like``.
    """
    if type(scalar) is float:
        return scalar
    if not isinstance(scalar, Tensor):
        return number(scalar, "A scalar")
    if scalar.is_complex() or (scalar.is_meta and not like.is_meta):
        raise TypeError(f"A scalar must be a real number, or one a sample; got {shown(scalar)}.")
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
