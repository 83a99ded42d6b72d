"""A stand-in for TorchSparse, of version 2.1 or the fork with a depthwise convolution.

It follows the conventions of their sources, those of ``get_kernel_offsets`` and of the kernel maps:
taps with the first axis fastest, the sample's number first in version 2.1 and last in the fork,
and one map for each tensor, stride and window, kept with the tensor.
"""

import sys
from dataclasses import dataclass, field
from itertools import product
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inftydiff.operators.local import _torchsparse_kernels as torchsparse_kernels

__all__ = ["StandIn", "install"]

ONES = (1, 1, 1)
CONFIG = {
    "dataflow": "implicit",
    "kmap_mode": "hashmap_on_the_fly",
    "ifsort": False,
    "split_mask_num": 1,
    "split_mask_num_bwd": 3,
}


@dataclass
class StandIn:
    """What a test may ask of the stand-in."""

    shared: dict[str, Any] = field(
        default_factory=lambda: {**CONFIG, "dataflow": "of the user", "ifsort": True}
    )
    maps_made: int = 0


class Cache:
    def __init__(self) -> None:
        self.kmaps: dict[Any, Any] = {}


class SparseTensor:
    def __init__(self, feats: Tensor, coords: Tensor) -> None:
        self.feats, self.coords, self.stride = feats, coords, ONES
        self.kmaps: dict[Any, Any] = {}
        self._caches: Any = None


def neighbours_of(coords: Tensor, window: tuple[int, ...]) -> Tensor:
    """The row at c + n for each row c and offset n, or −1, in as many rows as a block has."""
    assert coords.dtype == torch.int32
    assert coords.ndim == 2
    assert coords.shape[1] == 4
    assert coords.min() >= 0
    assert max(window) > 1, "TorchSparse divides by half the number of taps"
    x, y, z = (range(-(size // 2), size // 2 + 1) for size in window)
    offsets = torch.tensor([(0, i, j, k) for k, j, i in product(z, y, x)], dtype=torch.int32)
    there = (coords.unsqueeze(1) + offsets).unsqueeze(2) == coords
    seen = there.all(-1)
    found = torch.where(seen.any(-1), seen.int().argmax(-1), -1).int()
    return F.pad(found, (0, 0, 0, -len(found) % 128), value=-1)


def add_up(values: Tensor, weight: Tensor, out_in_map: Tensor) -> Tensor:
    """The sum of v(c + n) times the matrix of n."""
    image = values.new_zeros(len(values), weight.shape[-1])
    for tap, seen in zip(weight, out_in_map[: len(values)].T.long(), strict=True):
        image = image + (values[seen] * (seen >= 0).unsqueeze(-1)) @ tap
    return image


def install(monkeypatch: pytest.MonkeyPatch, version: str, depthwise: bool = True) -> StandIn:
    """Install the stand-in, and let the CPU be where it runs.

    Args:
        monkeypatch: pytest's.
        version: the version; from 2.1 on it mixes channels.
        depthwise: whether the fork has its depthwise convolution.
    """
    stand_in = StandIn()

    def build_kernel_map(
        coords, rows, kernel_size, stride, *, mode, dataflow, training, **options
    ) -> dict[str, Any]:
        assert len(coords) == rows
        assert stride == 1
        assert {"kmap_mode": mode, "dataflow": dataflow, **options} == CONFIG
        stand_in.maps_made += 1
        return {"out_in_map": neighbours_of(coords, kernel_size), "gradients": training}

    def conv3d(input, weight, kernel_size, *, config, training) -> SparseTensor:
        assert isinstance(input._caches, Cache)
        assert config == CONFIG
        kept = input._caches.kmaps
        name = input.stride, kernel_size, ONES, ONES
        if name not in kept:
            rest = {key: config[key] for key in ("ifsort", "split_mask_num", "split_mask_num_bwd")}
            kept[name] = build_kernel_map(
                input.coords,
                len(input.feats),
                kernel_size,
                1,
                mode=config["kmap_mode"],
                dataflow=config["dataflow"],
                training=training,
                **rest,
            )
        if torch.is_grad_enabled() and (input.feats.requires_grad or weight.requires_grad):
            assert kept[name]["gradients"]
        return SparseTensor(add_up(input.feats, weight, kept[name]["out_in_map"]), input.coords)

    def conv3d_of_the_fork(input, weight, kernel_size, *, depthwise) -> SparseTensor:
        assert depthwise
        assert weight.shape[1] == 1
        name = input.stride, kernel_size, ONES, ONES
        if name not in input.kmaps:
            stand_in.maps_made += 1
            input.kmaps[name] = neighbours_of(input.coords.roll(1, 1), kernel_size)
        matrices = torch.diag_embed(weight.squeeze(1))
        return SparseTensor(add_up(input.feats, matrices, input.kmaps[name]), input.coords)

    new = version.startswith("2.1")
    contents = {
        "torchsparse": {"SparseTensor": SparseTensor},
        "torchsparse.utils": {},
        "torchsparse.utils.tensor_cache": {"TensorCache": Cache},
        "torchsparse.backend": {"depthwise_convolution_forward_cuda": None} if depthwise else {},
        "torchsparse.nn": {},
        "torchsparse.nn.functional": {
            "conv3d": conv3d if new else conv3d_of_the_fork,
            "build_kernel_map": build_kernel_map,
            "conv_config": SimpleNamespace(get_default_conv_config=lambda: stand_in.shared),
            "Dataflow": SimpleNamespace(ImplicitGEMM="implicit"),
        },
    }
    for name, names in contents.items():
        module = ModuleType(name)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(torchsparse_kernels, "available", lambda: version)
    monkeypatch.setattr(torchsparse_kernels, "DEVICE", "cpu")
    return stand_in
