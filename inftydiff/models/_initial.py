"""How parameters start."""

from typing import TypeVar

import torch
from torch import nn

__all__ = ["zeroed"]

Module = TypeVar("Module", bound=nn.Module)


def zeroed(module: Module) -> Module:
    """Return the module with all its parameters zero, so that a residual branch starts silent."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    return module
