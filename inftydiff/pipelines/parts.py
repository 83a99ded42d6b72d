"""The parts of a module, by names that no wrapper of PyTorch has changed, and their tensors."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

__all__ = ["apart", "is_wrapper", "keeps_tensors", "parts_of", "plain_names"]

WRAPPERS = {
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "OptimizedModule": "_orig_mod",
}
"""PyTorch's modules that hold another one and compute as it does, and what they call it."""


def keeps_tensors(part: nn.Module) -> bool:
    """Say whether a module has tensors that are no part of its state."""
    return bool(part._non_persistent_buffers_set) or any(
        isinstance(value, Tensor) for value in vars(part).values()
    )


def is_wrapper(part: nn.Module) -> bool:
    """Say whether a module is one of PyTorch's around another."""
    kind = type(part)
    return kind.__name__ in WRAPPERS and kind.__module__.startswith("torch.")


def parts_of(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Return every part by its name, under all its names."""
    return model.named_modules(remove_duplicate=False)


def plain_names(model: nn.Module) -> Callable[[str], str]:
    """Return the map from names to those without what PyTorch's wrappers call what they hold."""
    wrappers = {name for name, part in parts_of(model) if is_wrapper(part)}

    def plain(name: str) -> str:
        parts = name.split(".")
        paths = [".".join(parts[:i]) for i in range(len(parts))]
        return ".".join(p for p, path in zip(parts, paths, strict=True) if path not in wrappers)

    return plain


def apart(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights, with copies of those that share their memory or are a part of more."""
    seen: set[int] = set()
    found = {}
    for name, value in state.items():
        if not value.is_meta and value.layout == torch.strided:
            storage = value.untyped_storage()
            if storage.data_ptr() in seen or storage.nbytes() > value.numel() * value.itemsize:
                value = value.detach().clone()
            seen.add(storage.data_ptr())
        found[name] = value
    return found
