"""Checks of what layers are given: kinds and shapes, no values."""

import torch
from torch import Tensor

from inftydiff._typing import check_device, floating, shown

__all__ = ["check_features"]


def check_features(
    values: Tensor | None, like: Tensor, count: int, name: str, *, axes: int = 0
) -> None:
    """Refuse what a layer would refuse in words of its own.

    Args:
        values: features, channels last, or channels first where there are four axes of images.
        like: a parameter of the layer.
        count: the number of channels that it takes.
        name: the subject of the message.
        axes: the number of axes; by default two or more.

    Raises:
        TypeError: if the features are no floating-point tensor.
        ValueError: if they have other axes, channels, or another dtype or device than the
            parameters.
    """
    where = 1 if axes == 4 else -1
    if (
        isinstance(values, Tensor)
        and values.dtype == like.dtype
        and values.device == like.device
        and (values.ndim == axes if axes else values.ndim > 1)
        and values.shape[where] == count
        and values.layout is torch.strided
    ):
        return
    values = floating(values, name, held=False)
    right = values.ndim == axes if axes else values.ndim > 1
    if not right or values.shape[where] != count:
        shape = ("batch", count, "h", "w") if axes == 4 else ("batch", "…", count)
        raise ValueError(
            f"{name} must have the shape ({', '.join(map(str, shape))}); got {shown(values)}."
        )
    advice = "Move one to the other, as by .to(device)."
    check_device(values.device, like.device, f"{name} and the parameters", advice)
    if values.dtype != like.dtype and not torch.is_autocast_enabled(values.device.type):
        raise ValueError(
            f"{name} must have the dtype of the parameters, {like.dtype}; got {values.dtype}. "
            "Convert one of the two."
        )
