"""The places in a call's expression where another value can stand."""

import ast
import inspect
from collections.abc import Mapping
from typing import Any, final

__all__ = ["Call", "Slot"]

Slot = tuple[str | int, ...]
"""A path from a call to a value of it: ("args", 0), ("keywords", 1, "elts", 0), ("new", "name")."""


@final
class Call:
    """A call, written as an expression; ``list(…)`` around it and ``x[…]`` are understood.

    Args:
        text: the expression.

    Example:
        >>> Call("f(x, (1, 2), size=3)").edited({("args", 1, "elts", 0): "None"})
        'f(x, (None, 2), size=3)'
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree: Any = ast.parse(text, mode="eval").body
        self.listed = _is_list(self.tree)
        self.call: Any = self.tree.args[0] if self.listed else self.tree

    @property
    def is_index(self) -> bool:
        """Say whether it is ``x[…]``."""
        return isinstance(self.call, ast.Subscript)

    @property
    def target(self) -> str:
        """The called expression, as it is written."""
        return ast.unparse(self.call.value if self.is_index else self.call.func)

    def slots(self, function: Any = None) -> list[Slot]:
        """The values: arguments, the items of those that are tuples or lists, what is not given.

        Args:
            function: what is called, whose parameters with defaults can be given too.
        """
        if self.is_index:
            return [("slice",)]
        found: list[Slot] = [("args", i) for i in range(len(self.call.args))]
        found += [("keywords", i) for i in range(len(self.call.keywords))]
        found = [slot for slot in found if not isinstance(self.node(slot), ast.Starred)]
        for slot in list(found):
            node = self.node(slot)
            if isinstance(node, ast.Tuple | ast.List):
                found += [(*slot, "elts", i) for i in range(len(node.elts))]
        return found + [("new", name) for name in self._not_given(function)]

    def name(self, slot: Slot, function: Any = None) -> str:
        """The parameter that a slot belongs to, or an empty name."""
        if slot[0] == "new":
            return str(slot[1])
        if slot[0] == "keywords":
            return str(self.call.keywords[slot[1]].arg)
        try:
            return list(inspect.signature(function).parameters)[int(slot[1])]
        except (TypeError, ValueError, IndexError):
            return ""

    def node(self, slot: Slot) -> ast.AST | None:
        """The expression that stands in a slot; None for what is not given."""
        if slot[0] == "new":
            return None
        if slot[0] == "slice":
            return self.call.slice
        found = getattr(self.call, str(slot[0]))[slot[1]]
        found = found.value if isinstance(found, ast.keyword) else found
        return found.elts[slot[3]] if len(slot) > 2 else found

    def edited(self, edits: Mapping[Slot, str]) -> str:
        """The expression with others in some slots."""
        fresh = Call(self.text)
        for slot in sorted(edits, key=len):  # a whole before its items
            new = ast.parse(edits[slot], mode="eval").body
            if slot[0] == "new":
                fresh.call.keywords.append(ast.keyword(str(slot[1]), new))
            elif slot[0] == "slice":
                fresh.call.slice = new
            elif len(slot) > 2:
                around = fresh.node(slot[:2])
                if isinstance(around, ast.Tuple | ast.List) and int(slot[3]) < len(around.elts):
                    around.elts[int(slot[3])] = new  # type: ignore[call-overload]
            elif slot[0] == "args":
                fresh.call.args[slot[1]] = new
            else:
                fresh.call.keywords[slot[1]].value = new
        return ast.unparse(ast.fix_missing_locations(fresh.tree))

    def _not_given(self, function: Any) -> list[str]:
        try:
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError):
            return []
        given = set(list(parameters)[: len(self.call.args)])
        given |= {str(keyword.arg) for keyword in self.call.keywords}
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return [
            name
            for name, parameter in parameters.items()
            if name not in given
            and parameter.kind in named
            and parameter.default is not inspect.Parameter.empty
        ]


def _is_list(tree: ast.AST) -> bool:
    return isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "list"
