"""Tries of calls: a good call, with one or two of its values replaced by hostile ones.

Call number n of a seed is always the same. The first round makes the good calls as they are; what
fails there is not reached. Judged are the error (:mod:`robustness.fuzz_judge`), the arguments and
the global random state after the call, whether finite values give a finite answer, whether a value
of another type is refused or gives the same answer, and whether a constructor keeps what it has
not understood.

``INNER`` calls take bare tensors within layers, where shapes are the caller's duty and checks would
cost: an error of theirs is no finding, the end of the process, a hang and a changed argument are.
"""

import ast
import copy
import inspect
import random
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from robustness.fuzz_examples import EXAMPLES, INNER, OFTEN, RECORDS, SLOW, UNBOUNDED
from robustness.fuzz_findings import Finding
from robustness.fuzz_hints import hints_of, misfit
from robustness.fuzz_hostile import hostile, twin
from robustness.fuzz_judge import described, documented, out_of_memory
from robustness.fuzz_slots import Call, Slot
from robustness.fuzz_surface import called
from robustness.fuzz_values_seen import differ, fingerprint, finite

__all__ = ["MISFIT", "Calls"]

MISFIT = "another kind than annotated"
"""The note on findings whose value is of another kind than its annotation."""

REFUSED = "REFUSED"
"""In place of a twin: there is none, and the value ought to be refused."""

CHANGING = ("take_weights(",)
"""Calls that are there to change an argument."""

HUGE = re.compile(r"\*\*|1e30|e308|[0-9]{6}")
"""Values that ask for more memory than there is."""


@final
@dataclass(frozen=True)
class Drawn:
    """A call to be tried.

    Args:
        example: the good call.
        call: what is tried.
        other: a call that must give the same answer; or ``REFUSED``; or None.
        parameter: the name of the parameter that has another value there.
        slot: its place.
        argument: what has been replaced, and by what.
    """

    example: str
    call: str
    other: str | None = None
    parameter: str = ""
    slot: Slot = ()

    argument: str = "the good call"


@final
class Calls:
    """The tries of calls.

    Args:
        names: the namespace of the examples.
        seed: of all choices.
        package: the folder of the package.
        scratch: a folder, where the process works.
    """

    def __init__(self, names: dict[str, Any], seed: int, package: Path, scratch: Path) -> None:
        self.names = names
        self.seed = seed
        self.package = package
        self.scratch = scratch

    def targets(self) -> dict[str, str]:
        """The name of what each example calls, with the example."""
        found = {}
        for example in EXAMPLES:
            name = called(self._function(Call(example)))
            if name is not None:
                found[name] = example
        return found

    def draw(self, number: int) -> Drawn:
        """The call of a number."""
        draw = random.Random(f"{self.seed} calls {number}")
        turn, place = divmod(number, len(EXAMPLES))
        example = EXAMPLES[place]
        if turn == 0:
            return Drawn(example, example)
        if draw.random() < 0.05:
            example = draw.choice(OFTEN)
        while any(word in example for word in SLOW) and draw.random() < 0.8:
            example = draw.choice(EXAMPLES)
        call = Call(example)
        function = self._function(call)
        slots = call.slots(function)
        if not slots:
            return Drawn(example, example)
        chosen = draw.sample(slots, min(len(slots), 2 if draw.random() < 0.15 else 1))
        if len(chosen) == 1 and draw.random() < 0.3:
            pair = twin(draw, *self._good(call, chosen[0], function))
            if pair is not None:
                other = pair[1] if pair[1] == REFUSED else call.edited({chosen[0]: pair[1]})
                name = call.name(chosen[0], function)
                said = _said(call, {chosen[0]: pair[0]}, function)
                edited = call.edited({chosen[0]: pair[0]})
                return Drawn(example, edited, other, name, chosen[0], said)
        edits = {
            slot: hostile(draw, *self._good(call, slot, function), self._kind) for slot in chosen
        }
        return Drawn(example, call.edited(edits), argument=_said(call, edits, function))

    def describe(self, number: int) -> tuple[str, str, str]:
        """The target, the argument and the reproduction of a try."""
        drawn = self.draw(number)
        again = f"python -m robustness.fuzz --seed {self.seed} --only calls:{number}"
        return Call(drawn.example).target, drawn.argument, f"{again}  # {drawn.call}"

    def __call__(self, number: int) -> list[Finding]:
        """Make a try."""
        drawn = self.draw(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self._tried(drawn)
        target, argument, again = self.describe(number)
        if found and self._misfits(drawn):
            argument = f"{argument} ({MISFIT})"
        return [
            Finding(kind, target, argument, words, again, "calls", number) for kind, words in found
        ]

    def _tried(self, drawn: Drawn) -> list[tuple[str, str]]:
        inner = any(word in drawn.example for word in INNER)
        call = Call(drawn.call)
        try:
            function = self._function(call)
            arguments, keywords = self._arguments(call)
        except BaseException as error:
            words = described(error, self.package)
            at_fault = " at inftydiff" in words  # else the hostile value could not be made
            return self._judged(error, inner, drawn.call) if at_fault else []
        torch.manual_seed(0)  # for weights that are drawn
        given = (arguments, keywords)
        numbers_finite, all_finite = finite(given, tensors=False), finite(given)
        before, states = fingerprint(given), self._states()
        answer: Any = None
        error: BaseException | None = None
        try:
            answer = function(*arguments, **keywords)
            answer = list(answer) if call.listed else answer
        except BaseException as raised:
            error = raised
        found = [] if error is None else self._judged(error, inner, drawn.call)
        changing = any(word in drawn.example for word in CHANGING)
        if fingerprint(given) != before and not changing:
            found.append(("changed", "an argument is another after the call"))
        if not _may_draw(function, drawn.call) and not _same(states, self._states()):
            found.append(("changed", "the global random state is another after the call"))
        if error is not None or inner or drawn.call == drawn.example:
            return found
        unbounded = any(word in drawn.example for word in UNBOUNDED)
        unbounded = unbounded or getattr(function, "__name__", "") in RECORDS
        if (all_finite or not numbers_finite) and not unbounded and not finite(answer):
            unbounded = not finite(self._answer(drawn.example))
        if (all_finite or not numbers_finite) and not unbounded and not finite(answer):
            found.append(("silent", "an answer that is not finite, without a word"))
        if drawn.other == REFUSED:
            hint = hints_of(function).get(drawn.parameter, object)
            if len(drawn.slot) < 3 and misfit(hint, 2.5):
                found.append(("silent", "a fraction is taken for a whole number"))
        elif drawn.other is not None:
            found += self._compared(answer, drawn.other)
        made = inspect.isclass(function) and is_dataclass(function)
        if not found and made and function.__name__ not in RECORDS:
            found += _kept(function, arguments, keywords, answer)
        return found

    def _misfits(self, drawn: Drawn) -> bool:
        """Say whether a value is of another kind than its parameter's annotation."""
        call = Call(drawn.call)
        try:
            function = self._function(call)
            arguments, keywords = self._arguments(call)
            given = inspect.signature(function).bind(*arguments, **keywords).arguments
        except Exception:
            return True
        hints = hints_of(function)
        return any(misfit(hints.get(name, object), value) for name, value in given.items())

    def _judged(self, error: BaseException, inner: bool, call: str) -> list[tuple[str, str]]:
        if documented(error, self.package) or (inner and isinstance(error, Exception)):
            return []
        if out_of_memory(error) and HUGE.search(call):
            return []  # so much was asked for
        return [("crash", described(error, self.package))]

    def _compared(self, answer: Any, other: str) -> list[tuple[str, str]]:
        try:
            expected = self._answer(other)
        except Exception:
            return []  # what it means is refused, and it is taken for something else
        if type(expected) is type(answer) and differ(answer, expected):
            return [("silent", f"another answer than that of {other[:160]}")]
        return []

    def _answer(self, expression: str) -> Any:
        call = Call(expression)
        arguments, keywords = self._arguments(call)
        torch.manual_seed(0)
        answer = self._function(call)(*arguments, **keywords)
        return list(answer) if call.listed else answer

    def _function(self, call: Call) -> Any:
        if call.is_index:
            return self._eval(call.call.value).__getitem__
        found = self._eval(call.call.func)
        # a network's call takes what its forward takes
        return found.forward if isinstance(found, torch.nn.Module) else found

    def _arguments(self, call: Call) -> tuple[list[Any], dict[str, Any]]:
        if call.is_index:
            return [self._eval(call.call.slice)], {}
        arguments: list[Any] = []
        for node in call.call.args:
            if isinstance(node, ast.Starred):
                arguments += self._eval(node.value)
            else:
                arguments.append(self._eval(node))
        return arguments, {str(k.arg): self._eval(k.value) for k in call.call.keywords}

    def _good(self, call: Call, slot: Slot, function: Any) -> tuple[Any, str]:
        """The good value in a slot, or the default of what is not given, and its expression."""
        node = call.node(slot)
        if node is not None:
            return self._eval(node), ast.unparse(node)
        default = inspect.signature(function).parameters[str(slot[1])].default
        return default, repr(default) if isinstance(default, int | float | str) else "None"

    def _kind(self, value: Any) -> str:
        names = self.names
        if isinstance(value, names["Function"]):
            return "FUNCTIONS"
        if isinstance(value, names["Grid"] | names["Scattered"] | names["Subset"] | names["Box"]):
            return "PLACES"
        return "OPERATORS" if isinstance(value, names["LinearOperator"]) else ""

    def _eval(self, tree: ast.AST) -> Any:
        expression = ast.fix_missing_locations(ast.Expression(copy.deepcopy(tree)))
        return eval(compile(expression, "<example>", "eval"), self.names)

    @staticmethod
    def _states() -> tuple[Any, ...]:
        return torch.get_rng_state(), random.getstate(), np.random.get_state()[1]  # noqa: NPY002


def _said(call: Call, edits: Mapping[Slot, str], function: Any) -> str:
    """Say in words what is replaced in a call."""
    return ", ".join(f"{call.name(slot, function)}={new}" for slot, new in edits.items())[:200]


def _may_draw(function: Any, call: str) -> bool:
    """Say whether a call may draw from the global state: for weights, as torch, or as asked."""
    network = inspect.isclass(function) and issubclass(function, torch.nn.Module)
    network |= getattr(function, "__name__", "") in ("build", "build_encoder")
    return network or "default_generator" in call


def _same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return torch.equal(one[0], other[0]) and one[1] == other[1] and bool((one[2] == other[2]).all())


def _kept(
    function: Any, arguments: list[Any], keywords: dict[str, Any], made: Any
) -> list[tuple[str, str]]:
    """Find what a constructor has kept although it is of another kind than the annotation."""
    hints = hints_of(function)
    try:
        given = inspect.signature(function).bind(*arguments, **keywords).arguments
    except TypeError:
        return []
    for name, meant in given.items():
        value = getattr(made, name, meant)
        words = (str, bool, str | None)  # all values are true or false, and can be written
        if name in hints and hints[name] not in words and misfit(hints[name], value):
            kind = type(value).__name__
            return [("silent", f"keeps {name}={str(value)[:40]!r} of type {kind}")]
    return []
