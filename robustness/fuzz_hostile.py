# ruff: noqa: E501 -- tables of expressions
"""Hostile values in place of a good one, as expressions: of its kind, and of others.

``X`` stands for the good value's own expression, so that a hostile tensor can have its shape.
"""

import ast
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__ = ["Hostile", "hostile", "twin"]

NUMBERS = """
-1|0|1|2.5|0.5|-0.0|1e308|-1e308|1e-308|5e-324|nan|inf|-inf|10**400|-10**400|2**63|2**64|-2**63
True|False|1j|"1"|"nan"|b"1"|None|Stranger()|[]|()|[1]|{}|(1,)|Fraction(1, 3)|np.float32(0.5)|np.float64(nan)
np.int64(3)|np.bool_(True)|np.array(0.5)|np.array([0.5, 0.5])|torch.tensor(0.5)|torch.tensor(1)|torch.tensor([0.5, 0.4])
torch.tensor(nan)|torch.tensor(0.5, requires_grad=True)|torch.empty(0)|torch.tensor(1j)|float|lambda: 1|grid|slice(3)
X + 1|-X|X * 2
"""

WRONG = """
None|0|1.5|-1|"word"|""|b"bytes"|[]|()|{}|Stranger()|Stranger|lambda: 1|object()|True|nan|1j|range(3)|torch.tensor(1.0)
np.zeros(3)|Path("nowhere")|grid|T|schedule|process|measure|x0|noise|DDIM|denoiser|box|heat|config|g()|int|Ellipsis
"""

TENSORS = """
X.to(torch.int64)|X.to(torch.int32)|X.to(torch.uint8)|X.to(torch.bool)|X.to(torch.complex64)|X.to("meta")
X.to(torch.bfloat16)|X.to(torch.float16)|X.to(torch.float64)|X[:0]|X[..., :0]|X[0]|X[..., 0]|X[:1]|X[..., :1]|X[..., :-1]
X.unsqueeze(0)|X.unsqueeze(-1)|torch.cat([X, X])|torch.cat([X, X], -1)|X * nan|X / 0|X * 0|X - X|-X|X + 5|X * 1e30|X * 1e-30
X.clone().requires_grad_()|X.numpy()|X.tolist()|X.to_sparse()|torch.tensor(0.5)|torch.tensor(1)|torch.empty(0)
torch.zeros(2, 2, 2, 2, 2)|X.flip(0)|X.float().clone().index_fill_(0, torch.tensor([0]), nan)|X.mT|X > 0
"""

FUNCTIONS = """
Function(fine, rand(2, 64, 3))|Function(scattered, rand(2, 5, 3))|Function(sub, rand(2, 4, 3))|Function(X.on, X.values[:0])
Function(X.on, X.values[0])|Function(X.on, X.values[:1])|Function(X.on, X.values[..., :1])|Function(X.on, X.values[..., :0])
Function(X.on, X.values * nan)|Function(X.on, X.values * 0)|Function(X.on, X.values.double())|Function(X.on, X.values.bfloat16())
Function(X.on, X.values.to("meta"))|Function(X.on, X.values + 0j)|Function(X.on, X.values.clone().requires_grad_())
Function(X.on, X.values * 1e30)|Function(X.on, (X.values * 9).long())|Function(walls, rand(2, 16, 3))|wave|one|X.values|X.on
Function(Grid((1, 1)), rand(2, 1, 3))|Function(Grid((4, 4), thin), rand(2, 16, 3))|Function(subs, rand(2, 3, 3))
Function(X.on, torch.zeros(3, *X.values.shape))|X.to_image()
"""

PLACES = """
Grid((1,))|Grid((1, 1))|Grid((3, 5))|Grid((2, 2, 2))|line|fine|walls|sub|subs|scattered|box|Point()|Grid((1,), Point())|x0|(4, 4)
Grid((4, 4), Box((1.0, 1.0), "periodic"))|Grid((4, 4), Box((1e-9, 1.0)))|Grid((4, 4), thin)|Scattered(rand(5, 1).abs())
Subset(grid, torch.tensor([0]))|Scattered(rand(2, 5, 2).abs())|Grid((4, 4), Box((1e6, 1.0)))|Box((1.0,))|Box((1.0, 1.0, 0.01))
"""

OPERATORS = """
T|M|R|Identity()|2.0 * T|T @ M|T + M|0.0 * T|T - T|gaussian_mollifier(1e-9)|gaussian_mollifier(1e9)|matern(1.5, 0.2, dim=1)
heat|average|local|cells|restriction|Blurring(0.1)|torch.tensor([1.0, 2.0]) * T|process|T(x0)|Identity() * 0.0
measure|exact_inverse(T, on=grid)
"""

CALLABLES = """
NanDenoiser|OtherKind|lambda x, t: None|lambda x, t: x.values|lambda x, t: 0.5|lambda x, t: Function(fine, rand(2, 64, 3))
lambda x, t: x * nan|lambda x, t: Function(x.on, x.values[:1])|lambda x, t: Prediction(x, x * inf)|lambda x, t: prediction
lambda x, t: Function(x.on, x.values.double())|lambda x, t: (x, x)|refuses|lambda *a: [].pop()|lambda x, t: x * 0|None|"word"
lambda x, t: Function(x.on, x.values.to("meta"))|lambda x, t: Prediction(x, Function(fine, rand(2, 64, 3)))|Stranger()|T|DDIM
lambda x, t: Function(x.on, x.values + 0j)|lambda x, t: Function(x.on, x.values.long())|lambda x, t: Function(x.on, x.values[..., :1])
"""

GENERATORS = """
None|0|torch.Generator|torch|np.random.default_rng(0)|random.Random(0)|"0"|torch.default_generator|Stranger()|g(2**63)
"""

SEQUENCES = """
None|()|[]|X + X|X[:1]|X[::-1]|(nan,)|(nan, nan)|(inf, 1.0)|(0, 0)|(0,)|(-1, -1)|(1e308, 1e308)|("a", "b")|(None, None)|(1j, 1j)
(10**400, 1)|5|"word"|b"ab"|{}|{1: 2}|set()|iter(())|range(3)|(2.5, 2.5)|(True, False)|((1, 2), (3, 4))|(2**63, 1)|np.zeros(2)
(5.0, 1.0)|torch.ones(2)|(grid, grid)|(1e-9, 1.0)|(1, 2, 3, 4)|Stranger()
"""

STRINGS = """
None|""|" "|"word"|"POSTERIOR"|"..."|"\\0"|"\\ud800"|"é"|"x" * 10000|0|1.5|nan|b"linear"|True|Stranger()|[]|("linear",)|Path("x")|X.upper()|[X]
"""

PATHS = """
None|""|Path("nowhere")|"nowhere/deep"|scratch|array_file|picture_folder|run_folder|Path("/dev/null")|"\\0"|"x" * 5000|0|1.5|b"x"
Stranger()|[]|Path("/")|"gs://bucket/x"|"https://example.invalid/x"|Path(".")|"~"|Path("/proc/self/mem")|str(X)|grid|True
"""

MAPPINGS = """
None|{}|{"": (0, 1)}|{1: 2}|{"u": (nan, 1.0)}|{"u": (1.0, -1.0)}|{"u": (0.0, 0.0)}|{"u": (-1e308, 1e308)}|{"u": ("a", "b")}|{"u": (1,)}
{"u": None}|[("u", (0, 1))]|"word"|{"values": (0.0, 1e-300)}|{"u": (10**400, 1)}|Stranger()|{"u": (-inf, inf)}|{"u": (1j, 2)}
"""


class Hostile:
    """Lists of expressions, parsed once."""

    def __init__(self) -> None:
        self.lists = {
            name: [e for line in text.strip().splitlines() for e in line.split("|")]
            for name, text in globals().items()
            if name.isupper() and isinstance(text, str)
        }
        for expressions in self.lists.values():
            for expression in expressions:
                ast.parse(expression, mode="eval")

    def pick(self, draw: random.Random, name: str) -> str:
        """An expression of a list, or now and then of the list of wrong kinds."""
        return draw.choice(self.lists["WRONG" if draw.random() < 0.2 else name])


LISTS = Hostile()


def hostile(draw: random.Random, value: Any, expression: str, public: Callable[[Any], str]) -> str:
    """An expression in place of a good value.

    Args:
        draw: the source of choices.
        value: the good value.
        expression: its expression.
        public: the kind of an object of the library, in one word.
    """
    chosen = LISTS.pick(draw, _list_for(value, public(value)))
    return re.sub(r"\bX\b", lambda _: f"({expression})", chosen)


def twin(draw: random.Random, value: Any, expression: str) -> tuple[str, str] | None:
    """Two expressions that must give one answer, or of which the first is refused."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        kind = draw.choice(["int64", "int32", "uint8", "bool"])
        cut = f"({expression}).to(torch.{kind})"
        return cut, f"{cut}.to(torch.{str(value.dtype).removeprefix('torch.')})"
    if isinstance(value, float):
        whole = draw.choice([1, 2, int(value)])
        return draw.choice([(f"{whole}", f"{float(whole)}"), (f"np.float64({value})", f"{value}")])
    if isinstance(value, int) and not isinstance(value, bool):
        return draw.choice(
            [
                (f"{value + 0.5}", "REFUSED"),
                (f"np.int64({value})", f"{value}"),
                (f"{float(value)}", f"{value}"),
            ]
        )
    return None


def _list_for(value: Any, kind: str) -> str:
    if isinstance(value, bool | int | float | np.number):
        return "NUMBERS"
    if value is None:
        return "WRONG"
    if isinstance(value, torch.Tensor):
        return "TENSORS"
    if isinstance(value, torch.Generator):
        return "GENERATORS"
    for types, name in (
        (str, "STRINGS"), (Path, "PATHS"), (dict, "MAPPINGS"), (tuple | list | range, "SEQUENCES")
    ):  # fmt: skip
        if isinstance(value, types):
            return name
    if kind in ("FUNCTIONS", "PLACES", "OPERATORS"):
        return kind
    return "CALLABLES" if callable(value) and not isinstance(value, type) else "WRONG"
