"""Values that few arguments mean, and the errors of calls that get them."""

import linecache
import math
from collections.abc import Callable

import numpy as np
import torch

import inftydiff
from inftydiff import (
    Box,
    CosineSchedule,
    Function,
    Grid,
    NoisePrediction,
    WhiteNoise,
)

PACKAGE = inftydiff.__file__.removesuffix("__init__.py")

HOSTILE: dict[str, Callable[[], object]] = {
    "None": lambda: None,
    "True": lambda: True,
    "a word": lambda: "x",
    "a number as a word": lambda: "1",
    "bytes": lambda: b"x",
    "a complex number": lambda: 1j,
    "below zero": lambda: -1,
    "zero": lambda: 0,
    "no whole number": lambda: 2.5,
    "a huge number": lambda: 10**400,
    "a large number": lambda: 1e308,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "[]": list,
    "()": tuple,
    "{}": dict,
    "(0,)": lambda: (0,),
    "an object": object,
    "a class": lambda: CosineSchedule,
    "a function": lambda: lambda *_: None,
    "integers": lambda: torch.tensor([0, 1]),
    "complex numbers": lambda: torch.tensor([0.5 + 0j, 0.6 + 0j]),
    "a meta tensor": lambda: torch.zeros(2, dtype=torch.float64, device="meta"),
    "an empty tensor": lambda: torch.zeros(0, dtype=torch.float64),
    "one number": lambda: torch.tensor(0.5, dtype=torch.float64),
    "too many axes": lambda: torch.full((2, 2), 0.5, dtype=torch.float64),
    "too many numbers": lambda: torch.tensor([0.9, 0.5, 0.3], dtype=torch.float64),
    "an array": lambda: np.array([0.6, 0.5]),
    "a scalar of numpy": lambda: np.float64(0.5),
    "a grid": lambda: Grid((4, 4)),
    "a box": lambda: Box((1.0,)),
    "a function on a grid": lambda: Function(Grid((3,)), torch.ones(1, 3, 1)),
    "a schedule": CosineSchedule,
    "a noise": WhiteNoise,
    "a parameterisation": NoisePrediction,
}


def said(error: BaseException) -> bool:
    """Tell if an error was raised by a statement of this package, as a ValueError or TypeError."""
    place = error.__traceback__
    assert place is not None
    while place.tb_next is not None:
        place = place.tb_next
    file = place.tb_frame.f_code.co_filename
    line = linecache.getline(file, place.tb_lineno).strip()
    ours = file.startswith(PACKAGE) and line.startswith("raise")
    return ours and isinstance(error, ValueError | TypeError)


def complaints(call: Callable[..., object], valid: dict[str, Callable[[], object]]) -> list[str]:
    """List the errors of a call with hostile values that no statement of this package raises.

    One argument at a time is hostile.

    Args:
        call: a function or a class.
        valid: its arguments, made anew for each call.
    """
    call(**{name: make() for name, make in valid.items()})
    found = []
    for name in valid:
        for kind, hostile in HOSTILE.items():
            arguments = {other: make() for other, make in valid.items()} | {name: hostile()}
            try:
                call(**arguments)
            except Exception as error:
                if not said(error):
                    found.append(f"{name} is {kind}: {type(error).__name__}: {error}")
    return found
