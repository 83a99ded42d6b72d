"""Values that no argument is meant to have, and what the library says of them."""

import linecache
import math
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import inftydiff
from inftydiff import operators as ops

ROOT = str(Path(inftydiff.__file__).parent)

GRID = ops.Grid((4, 4))
HEAT = ops.HeatMultiplier(0.1)
SOME = ops.Subset(GRID, torch.tensor([0, 3, 5]))
SENSORS = ops.Scattered(torch.full((5, 2), 0.3))

STRANGE: list[Any] = [
    None,
    True,
    "x",
    b"x",
    1j,
    -1,
    0,
    2.5,
    10**400,
    2**63,
    10**9,
    1e308,
    1e-308,
    1e-9,
    math.nan,
    math.inf,
    -0.0,
    (),
    [None],
    (0,),
    (1, 2, 3),
    ("x", "y"),
    (math.nan, math.nan),
    (10**400,),
    {},
    {1, 2},
    object(),
    int,
    ops.Grid,
    lambda *_: 0,
    torch.arange(3),
    torch.ones(2, 3, dtype=torch.complex64),
    torch.ones(2, 16, 3, device="meta"),
    torch.zeros(0),
    torch.zeros(0, 16, 3),
    torch.ones(2, 3, requires_grad=True),
    torch.tensor(1.0),
    torch.eye(4).to_sparse(),
    torch.ones(7, 5, 3, 2),
    np.ones((2, 3)),
    np.float32(0.5),
    np.int64(3),
    ops.Grid((3,)),
    ops.Grid((2, 2, 2)),
    ops.Grid((10**6,) * 3),
    ops.Box((1.0, 2.0)),
    ops.Point(),
    ops.Function(ops.Grid((3,)), torch.ones(3, 1)),
    ops.Function(GRID, torch.ones(0, 16, 3)),
    ops.Function(GRID, torch.ones(2, 16, 3, device="meta")),
    ops.Identity(),
    HEAT,
    SOME,
    SENSORS,
    torch.float32,
    torch.device("cpu"),
    torch.Generator(),
]
"""What is given in place of one argument."""


def said_of(call: Callable[..., Any], arguments: dict[str, Any]) -> str | None:
    """What the library says of arguments; None if it takes them.

    An error that it does not raise itself, in words, is an ``AssertionError``.
    """
    try:
        call(**arguments)
    except (TypeError, ValueError) as raised:
        error = raised
    else:
        return None
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    assert last.filename.startswith(ROOT), f"{last.filename}: {error!r}"
    assert line.startswith("raise"), f"{last.filename}:{last.lineno}: {error!r}"
    return str(error)
