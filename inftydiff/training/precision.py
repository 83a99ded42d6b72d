"""The precision that a run computes in, and the scale of its loss where that needs one."""

import functools
from pathlib import Path

import torch

from inftydiff.training.config import Precision

__all__ = ["compute_dtype", "fast_bfloat16", "loss_scaler"]

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


def compute_dtype(precision: Precision, kind: str) -> torch.dtype | None:
    """What the network computes in on a kind of device, if not in the dtype of its weights.

    Example:
        >>> compute_dtype("fp16", "cpu")
        torch.float16
    """
    if precision == "fp16":
        return torch.float16
    if precision == "bf16" or (precision == "auto" and fast_bfloat16(kind)):
        return torch.bfloat16
    return None


def loss_scaler(precision: Precision, kind: str) -> torch.amp.GradScaler | None:
    """What scales the loss, so that gradients in half precision do not vanish; None if none does.

    The scale is halved whenever a gradient overflows, and doubled after 2000 steps without.
    """
    return torch.amp.GradScaler(kind) if precision == "fp16" else None
