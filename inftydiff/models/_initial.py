"""How parameters start."""

from typing import TypeVar

import torch
from torch import nn

__all__ = ["zero_init"]

Module = TypeVar("Module", bound=nn.Module)


def zero_init(module: Module) -> Module:
    """Return the module with all its parameters zero, so that a residual branch starts silent."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    return module
