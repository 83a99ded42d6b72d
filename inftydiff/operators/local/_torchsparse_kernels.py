r"""Sums over the neighbours on a lattice by TorchSparse, for those who have built it.

.. math:: u(c) = \sum_n W_n\,v(c - n), \qquad n \in \{-p, …, p\}^d \text{ in raster order},

over the points :math:`c - n` that are present, with no normaliser. The matrices :math:`W_n` mix
all channels in TorchSparse from version 2.1 on; the fork of the authors of ∞-Diff, made from
version 2.0, has one number a channel instead. The two share a name and cannot be installed
together. TorchSparse finds the neighbours itself: its *kernel map* is made once and kept with the
points. Version 2.1 gives away what it found, the row at :math:`c + n` for each row :math:`c` and
each tap, from which ``pairs`` makes a list for kernels of our own. Its convolution has first
derivatives only.

TorchSparse counts the taps of :math:`v(c + n)` with the first axis running fastest: it is given the
axes in reverse, and the taps in reverse order. Its kernels take float32 and float16 on CUDA
devices; version 2.1 rounds the factors of a float32 product to TF32 on devices that can, unless
``torchsparse.backends.allow_tf32`` is set to false. They are launched on the default stream.

This module was written from TorchSparse's sources, and is untested on a device: it has only been
run with a stand-in for TorchSparse that follows the same conventions.

References:
    Tang et al., *TorchSparse++: Efficient Training and Inference Framework for Sparse Convolution
    on GPUs*, MICRO 2023. https://github.com/mit-han-lab/torchsparse (version 2.1.0) and
    https://github.com/samb-t/torchsparse (the fork, version 2.0.0b).
"""

from importlib import import_module, metadata
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.local._pair_list import PairList, listed

__all__ = ["Maps", "available", "convolve", "depthwise", "kernel_maps", "mixes_channels", "pairs"]

Maps: TypeAlias = dict[Any, Any]
"""The kernel maps of some points, by TorchSparse's own names for them."""

DEVICE = "cuda"
"""The type of the devices that TorchSparse finds neighbours on."""

FIRST = (2, 1)
"""The first version whose convolution is called as it is here."""


def available() -> str | None:
    """The version of TorchSparse that is installed, or none; nothing is imported.

    Example:
        >>> available() is None or available()[0].isdigit()
        True
    """
    try:
        return metadata.version("torchsparse")
    except metadata.PackageNotFoundError:
        return None


def mixes_channels() -> bool:
    """Whether the TorchSparse that is installed takes matrices, and not numbers a channel."""
    version = available()
    return version is not None and tuple(map(int, version.split(".")[:2])) >= FIRST


def convolve(
    values: Float[Tensor, "rows in_channels"],
    weight: Float[Tensor, "taps in_channels out_channels"],
    coordinates: Int[Tensor, "rows axes"],
    size: int,
    dim: int,
    maps: Maps | None = None,
) -> Float[Tensor, "rows out_channels"]:
    """The sum with a matrix for each offset, and its gradients by autograd.

    Args:
        values: float32 or float16 on a CUDA device, of shape ``(rows, in_channels)``.
        weight: the matrices, in the same dtype, of shape ``(size**dim, in_channels,
            out_channels)``.
        coordinates: which cell of the lattice each row is, preceded by the number of its sample,
            of shape ``(rows, 1 + dim)``; no two are equal.
        size: the number of offsets along each axis, odd.
        dim: the number of axes, at most three.
        maps: the points' kernel maps; one that is missing is made, and kept there.

    Raises:
        ModuleNotFoundError: if TorchSparse is not installed, or older than version 2.1.
        ValueError: if the shapes do not fit, or the tensors are on no CUDA device.
        TypeError: if the values are neither float32 nor float16, or the weight is of another dtype.
    """
    _check(values, weight, coordinates, size, dim)
    _require_matrices()
    _check_device(values)
    if size == 1 or len(values) == 0:
        return values @ weight.sum(0)
    functional = import_module("torchsparse.nn.functional")
    cells, window = _layout(coordinates, size, dim)
    points = import_module("torchsparse").SparseTensor(feats=values, coords=cells)
    # A cache that TorchSparse may share between tensors would bring other points' neighbours.
    points._caches = import_module("torchsparse.utils.tensor_cache").TensorCache()
    points._caches.kmaps = {} if maps is None else maps
    with torch.cuda.device_of(values):
        # A map that is made without training lacks what the gradients need.
        image = functional.conv3d(
            points, weight.flip(0), kernel_size=window, config=_config(functional), training=True
        )
    return image.feats


def kernel_maps(coordinates: Int[Tensor, "rows axes"], size: int, dim: int) -> Maps:
    """Find the neighbours by TorchSparse 2.1, for ``convolve`` and for ``pairs``.

    Args:
        coordinates: which cell of the lattice each row is, preceded by the number of its sample,
            of shape ``(rows, 1 + dim)``, on a CUDA device; no two are equal.
        size: the number of offsets along each axis, odd.
        dim: the number of axes, at most three.

    Raises:
        ModuleNotFoundError: if TorchSparse is not installed, or older than version 2.1.
        ValueError: if the coordinates are on no CUDA device.
    """
    _require_matrices()
    _check_device(coordinates)
    if size == 1:
        return {}
    functional = import_module("torchsparse.nn.functional")
    config = _config(functional)
    cells, window = _layout(coordinates, size, dim)
    with torch.cuda.device_of(coordinates):
        found = functional.build_kernel_map(
            cells,
            len(cells),
            window,
            stride=1,
            mode=config["kmap_mode"],
            dataflow=config["dataflow"],
            training=True,
            ifsort=config["ifsort"],
            split_mask_num=config["split_mask_num"],
            split_mask_num_bwd=config["split_mask_num_bwd"],
        )
    return {_name(window): found}


def pairs(maps: Maps, coordinates: Int[Tensor, "rows axes"], size: int, dim: int) -> PairList:
    """List the neighbours that ``kernel_maps`` found, as our own kernels take them.

    Args:
        maps: the points' kernel maps.
        coordinates: which cell of the lattice each row is, preceded by the number of its sample.
        size: the number of offsets along each axis, odd.
        dim: the number of axes, at most three.
    """
    _, window = _layout(coordinates, size, dim)
    rows = torch.arange(len(coordinates), dtype=torch.int32, device=coordinates.device)
    seen = maps[_name(window)]["out_in_map"][: len(rows)] if size > 1 else rows.unsqueeze(-1)
    return listed([seen])


def _name(window: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """TorchSparse's name of a map: the strides before, the window, the strides and dilations."""
    ones = (1, 1, 1)
    return ones, window, ones, ones


def _config(functional: Any) -> Any:
    config = functional.conv_config.get_default_conv_config().copy()
    config["dataflow"] = functional.Dataflow.ImplicitGEMM
    config["kmap_mode"] = "hashmap_on_the_fly"
    config["ifsort"] = False  # sorting takes at most 32 taps
    return config


def depthwise(
    values: Float[Tensor, "rows channels"],
    weight: Float[Tensor, "taps channels"],
    coordinates: Int[Tensor, "rows axes"],
    size: int,
    dim: int,
    maps: Maps | None = None,
) -> Float[Tensor, "rows channels"]:
    """The sum with a number for each offset and channel, and its gradients by autograd.

    Args:
        values: float32 or float16 on a CUDA device, of shape ``(rows, channels)``.
        weight: the table, in the same dtype, of shape ``(size**dim, channels)``.
        coordinates: which cell of the lattice each row is, preceded by the number of its sample,
            of shape ``(rows, 1 + dim)``; no two are equal.
        size: the number of offsets along each axis, odd.
        dim: the number of axes, at most three.
        maps: the points' kernel maps; one that is missing is made, and kept there.

    Raises:
        ModuleNotFoundError: if the fork of TorchSparse that has a depthwise convolution is not
            installed.
        ValueError: if the shapes do not fit, or the tensors are on no CUDA device.
        TypeError: if the values are neither float32 nor float16, or the weight is of another dtype.
    """
    _check(values, weight, coordinates, size, dim)
    version = available()
    if version is None or mixes_channels():
        raise _missing("the fork of TorchSparse 2.0", version, "samb-t/torchsparse")
    _check_device(values)
    try:
        from torchsparse.backend import depthwise_convolution_forward_cuda  # noqa: F401
    except ImportError as error:
        raise _missing("the fork of TorchSparse 2.0", version, "samb-t/torchsparse") from error
    if size == 1 or len(values) == 0:
        return values * weight.sum(0)
    functional = import_module("torchsparse.nn.functional")
    cells, window = _layout(coordinates, size, dim)
    points = import_module("torchsparse").SparseTensor(feats=values, coords=cells.roll(-1, 1))
    points.kmaps = {} if maps is None else maps
    with torch.cuda.device_of(values):
        image = functional.conv3d(
            points, weight.flip(0).unsqueeze(1), kernel_size=window, depthwise=True
        )
    return image.feats


def _layout(
    coordinates: Int[Tensor, "rows axes"], size: int, dim: int
) -> tuple[Int[Tensor, "rows 4"], tuple[int, ...]]:
    """The samples' numbers and three axes, the last one first, and the offsets along each.

    The coordinates begin at zero, since below it version 2.1 finds no neighbours.
    """
    sample, *axes = (coordinates - coordinates.amin(0)).int().unbind(-1)
    cells = F.pad(torch.stack([sample, *reversed(axes)], -1), (0, 3 - dim))
    return cells.contiguous(), (size,) * dim + (1,) * (3 - dim)


def _check(values: Tensor, weight: Tensor, coordinates: Tensor, size: int, dim: int) -> None:
    if size < 1 or size % 2 == 0 or dim not in (1, 2, 3):
        raise ValueError(
            "TorchSparse adds up an odd number of offsets along one to three axes; got "
            f"size={size}, dim={dim}."
        )
    if coordinates.shape != (len(values), 1 + dim):
        raise ValueError(
            f"The coordinates of {len(values)} values along {dim} axes must have shape "
            f"({len(values)}, {1 + dim}), the sample's number first; got "
            f"{tuple(coordinates.shape)}."
        )
    if len(weight) != size**dim:
        raise ValueError(f"The weight must have size**dim = {size**dim} taps; got {len(weight)}.")
    if values.dtype not in (torch.float32, torch.float16) or weight.dtype != values.dtype:
        raise TypeError(
            "TorchSparse takes values and weights of one dtype, float32 or float16; got "
            f"{values.dtype} and {weight.dtype}. Convert them first."
        )


def _check_device(values: Tensor) -> None:
    if values.device.type != DEVICE:
        raise ValueError(
            f"TorchSparse runs on CUDA devices only; got values on {values.device}. Move them "
            "there, or take another backend."
        )


def _require_matrices() -> None:
    if not mixes_channels():
        raise _missing("TorchSparse 2.1", available(), "mit-han-lab/torchsparse")


def _missing(needed: str, version: str | None, repository: str) -> ModuleNotFoundError:
    found = "none is installed" if version is None else f"version {version} is installed"
    return ModuleNotFoundError(
        f"This needs {needed}, and {found}. It is not on PyPI and is built from source with a CUDA "
        f"compiler: pip install git+https://github.com/{repository}.git",
        name="torchsparse",
    )
