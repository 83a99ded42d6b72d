"""Values in the words of a message: short, whatever they are, and never an error themselves."""

import math

import numpy as np
from torch import Tensor

__all__ = ["article", "kind_of", "shown"]

LONG = 60
"""The most characters of a value that a message shows."""


def shown(value: object) -> str:
    """A value as a message shows it, after "got".

    Example:
        >>> import torch
        >>> shown(0.5), shown("cosine"), shown(10**400), shown(int), shown(torch.zeros(2, 3))
        ('0.5', "'cosine'", 'an integer of 401 digits', 'the class int', 'Tensor (2, 3) of float32')
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, Tensor):
        where = " on meta" if value.is_meta else ""
        return f"Tensor {tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}{where}"
    if isinstance(value, np.ndarray):
        return f"ndarray {value.shape} of {value.dtype}"
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {math.floor(value.bit_length() * math.log10(2.0)) + 1} digits"
    if value is None or isinstance(value, bool | int | float | complex | np.generic):
        return repr(value)
    if isinstance(value, str | bytes):
        return repr(value) if len(value) <= LONG else f"{value[:LONG]!r}…"
    if isinstance(value, list | tuple):
        few = [type(v).__name__ if isinstance(v, list | tuple) else shown(v) for v in value[:4]]
        inner = ", ".join([*few, "…"] if len(value) > 4 else few)
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return type(value).__name__


def kind_of(value: object) -> str:
    """A value of the wrong kind: as it is shown, and what it is where that does not say so.

    Example:
        >>> kind_of("cosine"), kind_of(None), kind_of([1]), kind_of(object())
        ("'cosine', a str", 'None', '[1], a list', 'object')
    """
    text, name = shown(value), type(value).__name__
    plain = value is None or isinstance(value, type) or text.startswith((name, "an integer"))
    return text if plain else f"{text}, {article(name)}"


def article(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
