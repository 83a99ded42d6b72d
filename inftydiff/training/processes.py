"""The processes of a run, as ``accelerate`` sees them."""

import torch

from inftydiff._extras import extra

__all__ = ["has_gpu", "is_main_process"]


def has_gpu() -> bool:
    """Whether there is a GPU; without, accelerate has to be told so to see several processes."""
    kinds = (torch.cuda, torch.xpu, torch.backends.mps)
    return any(kind.is_available() for kind in kinds)


def is_main_process() -> bool:
    """Whether this is the process of a run that writes and speaks."""
    with extra("train"):
        from accelerate import PartialState

    return bool(PartialState(cpu=not has_gpu()).is_main_process)
