"""Whether a device computes faster in bfloat16 than in float32."""

import functools
from pathlib import Path

import torch

__all__ = ["fast_bfloat16"]

CPU_FLAGS = {"amx_bf16", "avx512_bf16"}


@functools.cache
def fast_bfloat16(kind: str) -> bool:
    """Whether this machine has instructions for bfloat16.

    Args:
        kind: the kind of a device, ``"cpu"`` or ``"cuda"``; others count as without. Processors are
            asked on Linux only.
    """
    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    file = Path("/proc/cpuinfo")
    if kind != "cpu" or not file.is_file():
        return False
    return bool(CPU_FLAGS & set(file.read_text(encoding="utf-8").split()))
