"""Every error that we raise says what is wrong, what was got and what to do.

The rule for the text of an error, held over every one that the package makes:

a. It is a sentence. It begins with a capital, a symbol, a value, a quotation, an option or a name
   of the code, and ends with a full stop, an install command or a sentence made elsewhere.
b. It shows what was got: a value, or in words that there is none, or that two things exclude each
   other (``SHOWN``).
c. It says what to do: a clause begins with an imperative (``VERBS``); or a requirement, which is
   itself the remedy, is followed by what was got ("A seed must be …; got …"), or by the name that
   is nearest to the one that was given.

A fragment, such as "it ends 3 bytes too early", is the reason in a sentence of a caller. It stands
in the files of ``FRAGMENTS`` alone, which name the beginning of that sentence; the sentence keeps
the rule. What is handed to a check as its ``advice`` is a sentence that begins with an imperative.
"""

import ast
import builtins
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jaxtyping
import pytest
import torch

import inftydiff
from inftydiff import _typing

ROOT = Path(inftydiff.__file__).parent

ALLOWED = {
    "ValueError": "a wrong value",
    "TypeError": "a wrong kind of object",
    "OSError": "what the system refuses: writing, and reading within a store of fields",
    "IsADirectoryError": "an OSError: a folder where a file is written",
    "NotWritten": "an OSError that names the file",
    "ChildProcessError": "an OSError: a process that draws or reads pictures died",
    "ModuleNotFoundError": "an optional library that is not installed",
    "AttributeError": "a name that the package does not have",
    "IndexError": "the end of a sequence, by which Python ends a loop over it",
    "FloatingPointError": "a training run that diverged",
    "LawViolation": "an AssertionError for pytest: a law does not hold",
    "NotFinite": "a ValueError that callers tell from others",
    "NoDensity": "a ValueError that callers tell from others",
    "GuidanceDiverged": "a ValueError that callers tell from others",
    "UnreadableSample": "a ValueError that sets of pictures can leave out",
    "UnreadableItem": "a ValueError that crosses the processes of a loader",
    "Interrupted": "a KeyboardInterrupt: a run is stopped from outside",
    "_Terminated": "a KeyboardInterrupt: a command is stopped from outside",
    "_OutsideError": "caught in the file that raises it",
}
"""The classes that are raised, and why."""

FRAGMENTS = {
    "_reading.py": ("pipelines/_pretrained.py", "{file} cannot be read as a model's configuration"),
    "_writing.py": ("_writing.py", "{path} could not be written"),
    "cli/readings.py": ("cli/readings.py", "{file} cannot be read as readings"),
    "cli/settings_file.py": ("cli/settings_file.py", "{file} cannot be read as settings"),
    "data/_depth.py": ("data/_opening.py", "{file} cannot be read as a picture"),
    "data/_field_hdf5.py": ("data/_field_sources.py", "{path} cannot be read as fields"),
    "data/_field_sources.py": ("data/_field_sources.py", "{path} cannot be read as fields"),
    "data/_field_store.py": ("data/_field_sources.py", "{path} cannot be read as fields"),
    "data/_field_variable.py": ("data/fields.py", "{_at} cannot be read"),
    "data/fields.py": ("data/fields.py", "{_at} cannot be read"),
    "data/hub.py": ("data/lazy.py", "{name} cannot be read"),
    "data/lsun.py": ("data/lsun.py", "{path} cannot be read as an LMDB database"),
    "data/_npy.py": ("data/array.py", "{path} cannot be read as one array"),
    "data/_opening.py": ("data/_opening.py", "{file} cannot be read as a picture"),
    "training/checkpoint.py": ("training/checkpoint.py", "{file} cannot be read as a checkpoint"),
    "pipelines/checkpoints.py": ("pipelines/checkpoints.py", "{value} cannot be read as a check"),
}
"""Files that raise the reasons of other sentences, and one such sentence."""

PASSED_ON = {
    (
        "_components/registry.py",
        "The component {name} of {provider} is none. {error}",
    ): "a sentence, held to the rule where it is written",
    ("_lazy.py", "{_unknown}"): "Python's own words, and the nearest name",
    ("data/array.py", "{path}: {error}"): "another sentence, after the file's name",
    ("training/_batches.py", "{removeprefix}"): "the sentence of another process",
    ("training/loop.py", "{error} {state}"): "another sentence, before what is left of the run",
    (
        "processes/conditioning.py",
        "{complaint}",
    ): "a sentence, held to the rule where it is written",
    ("data/_field_variable.py", "{fault}"): "a sentence, held to the rule where it is written",
}
"""Sentences that are complete where they come from."""

NO_MESSAGE = ("NotWritten", "Interrupted", "LawViolation", "_Terminated")
"""Classes that are made from other things than a message, and write it themselves."""

SENTENCES = (
    "complaint",
    "fault",
    "_does_not_fit",
    "_not_written",
    "_nothing_at",
    "_refusal",
    "_too_deep",
)
"""Arguments that are, and functions that return, whole messages."""

ADVICE = ("advice", "fix", "instead_of", "range_fault")
"""Names of what to do, and functions that return it, alone or as the last of several."""

VERBS = """
    add apply ask bring build call change check choose clamp clean compare complete compose
    compute convert copy correct crop divide draw drop encode end enlarge evaluate fill get give
    go guide install interpolate join keep leave load look lower make map mollify move name
    number observe pass predict put raise read remove rename repair repeat replace reshape
    resize restore restrict resume return sample save say select set shorten sort split state
    stop subtract take train try use wait wrap write
"""
"""The imperatives that an advice begins with."""

DO = rf"(?i:{'|'.join(VERBS.split())})(?= \S|, or |\.?$|\.)(?! (?:is|are|has|of)\b)"
AT_A_CLAUSE = re.compile(rf"(?:^|[.;:?] |}} |\. Or |, or )(?:{DO})|\b(?:If|if) [^.;]+, (?:{DO})")
REQUIRED = re.compile(
    r"(?:\b(?:must|takes?|needs?|is|are|has|have|lies?|lives?|goes|gives?|answers|reads?|runs?|"
    r"names|draws|stays?|rise|differ|knows|inverts|adds up|belong|leads|holds?|acts?|expected)\b"
    r"|^At most)"
    r".*[;,.] (?:got|Got|asked for)\b"
    r"|; the nearest is \{"
    r"|; expected [^.]*\{"
    r"|^\{what\} a Grid; got \{"
)
SHOWN = re.compile(
    r"\{|(?i:\b(?:got|no|not|nor|none|nothing|nowhere|neither|never|without|both|twice|everything|"
    r"differ|waits for|one scale a sample)\b)"
)
UNDERSCORED = re.compile(r"[a-z]+(?:_[a-z]+)+ ")
BEGINS = re.compile(r"(?:[A-ZΑ-Ω{'\"-]|ᾱ|σ|α|[\w-]+\.txt )")
ENDS = re.compile(
    rf"(?:\.|\?|pip install \S+|\.\{{\w+\}}|\{{(?:{'|'.join((*SENTENCES, *ADVICE, 'state'))})\}})$"
)

EXCEPTIONS = {
    n for n, v in vars(builtins).items() if isinstance(v, type) and issubclass(v, BaseException)
}


def faults(text: str, code_names: frozenset[str] = frozenset()) -> list[str]:
    """What the text of an error lacks; placeholders are names in braces."""
    found = []
    first = re.match(r"\w*", text)
    named = first is not None and first[0] in code_names
    if not BEGINS.match(text) and not named and not UNDERSCORED.match(text):
        found.append("its beginning is not that of a sentence")
    if not ENDS.search(text):
        found.append("its end is not that of a sentence")
    if not SHOWN.search(text):
        found.append("it does not show what was got")
    advised = any(f"{{{name}}}" in text for name in (*ADVICE, *SENTENCES))
    installs = "pip install" in text
    if not (AT_A_CLAUSE.search(text) or REQUIRED.search(text) or advised or installs):
        found.append("it does not say what to do")
    if "\n" in text:
        found.append("it is not one line")
    if len(text) > 420:
        found.append("it is long")
    return found


SUBJECTS = r"It|its?|is|the|a|readings|pixels|data\.mdb|\{(?:path|folder|word|_short)\}"
"""The words that a reason begins with."""


def is_fragment(text: str) -> bool:
    """Tell a reason that another sentence takes up: a clause with a subject and no full stop."""
    clause = re.match(rf"(?:{SUBJECTS}) [\w{{]", text)
    return clause is not None and len(text.split()) >= 4 and not text.endswith((".", "?"))


@dataclass(frozen=True)
class Message:
    """A text that an error is made with, and where."""

    file: str
    line: int
    kind: str
    text: str
    code_names: frozenset[str]

    def __str__(self) -> str:
        return f"{self.file}:{self.line} {self.kind}: {self.text}"


Texts = Mapping[str, list[str]]


def texts_of(node: ast.expr, known: Texts, depth: int = 0) -> list[str]:
    """Each text that an expression may be, with names in braces for what is not known."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        made = [""]
        for part in node.values:
            value = part.value if isinstance(part, ast.FormattedValue) else part
            made = [m + text for m in made for text in texts_of(value, known, depth)]
        return made
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = (texts_of(side, known, depth) for side in (node.left, node.right))
        return [a + b for a in left for b in right]
    if isinstance(node, ast.IfExp):
        return texts_of(node.body, known, depth) + texts_of(node.orelse, known, depth)
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if isinstance(node.func.value, ast.JoinedStr):  # "…".rstrip()
            return texts_of(node.func.value, known, depth)
        return [f"{{{node.func.attr}}}"]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return [f"{{{node.func.id}}}"]
    if isinstance(node, ast.Attribute):
        return [f"{{{node.attr}}}"]
    return [f"{{{node.id}}}" if isinstance(node, ast.Name) else "{value}"]


def is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.IfExp):
        return is_text(node.body) and is_text(node.orelse)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and is_text(node.left)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def assigned(nodes: Iterable[ast.AST], known: Texts) -> dict[str, list[str]]:
    """The texts that names are given, in the order of the code."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        if not isinstance(node, ast.Assign) or not is_text(node.value):
            continue
        target = node.targets[0]
        if isinstance(target, ast.Name):
            found.setdefault(target.id, []).extend(texts_of(node.value, {**known, **found}))
    return found


TREES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(ROOT.rglob("*.py"))
}
CONSTANTS = {
    name: texts
    for tree in TREES.values()
    for name, texts in assigned(tree.body, {}).items()
    if name.strip("_").isupper()
}
OURS = {
    node.name
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.ClassDef) and node.name in ALLOWED
}


def functions() -> Iterator[tuple[str, ast.FunctionDef, Texts]]:
    """Each function with its file and the texts that its names stand for."""
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield file, node, {**CONSTANTS, **assigned(ast.walk(node), CONSTANTS)}


def code_names(tree: ast.AST) -> frozenset[str]:
    """The names of arguments, functions and fields in a file."""
    names = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg}
    names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return frozenset(
        names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    )


NAMES = {file: code_names(tree) for file, tree in TREES.items()}


@cache
def messages() -> tuple[Message, ...]:
    """Every text that an error of ours is made with."""
    found = []
    for file, function, known in functions():
        for node in ast.walk(function):
            made: list[tuple[str, ast.expr]] = []
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else ""
                if name in EXCEPTIONS | OURS and name not in NO_MESSAGE and node.args:
                    made.append((name, node.args[0]))
                own = ast.unparse(node.func) == "super().__init__" and bool(node.args)
                if own and is_text(node.args[0]):
                    made.append(("an error's own text", node.args[0]))
                if name == "cholesky" and len(node.args) == 2:
                    made.append(("complaint", node.args[1]))
                made += [(k.arg, k.value) for k in node.keywords if k.arg == "fault"]
            if function.name in SENTENCES and isinstance(node, ast.Return) and node.value:
                made.append((function.name, node.value))
            for kind, value in made:
                for text in texts_of(value, known):
                    found.append(Message(file, node.lineno, kind, text, NAMES[file]))
    return tuple(found)


def advices() -> Iterator[Message]:
    """Every text that is handed to a check as its advice, or returned as one."""
    places = {
        node.name: [arg.arg for arg in node.args.args].index("advice")
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and "advice" in {arg.arg for arg in node.args.args}
    }
    for file, function, known in functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = places.get(node.func.id, -1)
                values = [k.value for k in node.keywords if k.arg == "advice"]
                values += node.args[place : place + 1] if place >= 0 else []
                for value in values:
                    for text in texts_of(value, known):
                        yield Message(file, node.lineno, node.func.id, text, frozenset())
            if function.name in ADVICE and isinstance(node, ast.Return) and node.value:
                value = node.value.elts[-1] if isinstance(node.value, ast.Tuple) else node.value
                for text in texts_of(value, known):
                    yield Message(file, node.lineno, function.name, text, frozenset())


def test_every_message_keeps_the_rule() -> None:
    found = set(messages())
    assert len(found) > 500
    wrong = []
    for message in sorted(found, key=str):
        if (message.file, message.text) in PASSED_ON:
            continue
        if message.file in FRAGMENTS and is_fragment(message.text):
            continue
        wrong += [f"{message}\n    {fault}" for fault in faults(message.text, message.code_names)]
    assert not wrong, "\n".join(wrong)


def test_every_advice_is_one() -> None:
    found = [message for message in advices() if not re.fullmatch(r"\{\w+\}|", message.text)]
    assert len(found) > 50
    wrong = [
        str(message)
        for message in found
        if not (re.match(DO, message.text) and message.text.endswith((".", "?")))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("file", FRAGMENTS)
def test_a_fragment_is_taken_up_by_a_sentence(file: str) -> None:
    where, beginning = FRAGMENTS[file]
    found = [m for m in messages() if m.file == where and m.text.startswith(beginning)]
    assert found
    assert any(is_fragment(message.text) for message in messages() if message.file == file)
    assert not [fault for message in found for fault in faults(message.text)]


@pytest.mark.parametrize(
    "text",
    [
        "A seed must be a whole number of at least 0; got {shown}.",
        "White noise has no values off a lattice; got Scattered({size} points). Draw it on a Grid "
        "and restrict, or mollify it.",
        "{file} is a link, and a run follows none. Remove it.",
        "--ranges is for readings in a file; pictures have none. Leave it out.",
        "{__name__} has no field {key}; the nearest is {near}.",
        "{__name__} has no field 'widht'; the nearest is {near}.",
        "A Box needs at least one side length; got none. Take Point() instead.",
        'This needs {name}, which is not installed: pip install "inftydiff[{name}]"',
        "Give --label or --condition, and not both.",
        "on_error must be 'raise' or 'skip'; got {on_error}.",
        "{name} must be {wanted}; got {kind_of}. {advice}",
        "The schedule has no finite derivative near t = {item}; choose another time.",
        "If the shift was set, call set_timesteps; got {shift}.",
    ],
)
def test_the_rule_accepts(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("bad mask", ["beginning", "end", "show", "do"]),
        ("x is wrong.", ["beginning", "show", "do"]),
        ("The mask is wrong.", ["show", "do"]),
        ("Invalid value {value}.", ["do"]),
        ("{name} is not a finite number.", ["do"]),
        ("The kernel has {channels} channels, the values have {value}.", ["do"]),
        ("{path} does not exist", ["end", "do"]),
        ("Give a larger number.", ["show"]),
        ("A seed must be a whole number.", ["show", "do"]),
        ("A seed must be a whole number", ["end", "show", "do"]),
        ("--eta belongs to --rule ddim.", ["show", "do"]),
        ("it ends {value} bytes too early", ["beginning", "end", "do"]),
        ("{value}", ["end", "do"]),
        ("Failed: {error}", ["end", "do"]),
        ("There is a use of {value}.", ["do"]),
        ("Reading {file} did not work.", ["do"]),
        ("{file} is empty.\nGive another.", ["do", "line"]),
        ("{file} is empty. " + 50 * "Give another. ", ["end", "long"]),
    ],
)
def test_the_rule_refuses(text: str, lacking: list[str]) -> None:
    found = faults(text)
    assert len(found) == len(lacking), found
    assert all(word in fault for word, fault in zip(lacking, found, strict=True))


@pytest.mark.parametrize(
    "text", ["bad mask", "wrong", "x is wrong.", "Bad mask {value}", "it failed"]
)
def test_a_bare_message_is_no_fragment(text: str) -> None:
    assert not is_fragment(text)


def test_what_is_raised_is_allowed() -> None:
    """Raised are calls of the classes above, of functions that return one, and what was caught."""
    makers = {
        node.name: ast.unparse(node.returns)
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.returns is not None
    }
    found = set()
    for file, tree in TREES.items():
        caught = {h.name for h in ast.walk(tree) if isinstance(h, ast.ExceptHandler)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Raise) or node.exc is None:
                continue
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = raised.attr if isinstance(raised, ast.Attribute) else ast.unparse(raised)
            kind = makers.get(name, name)
            of_the_caught = kind == "type(error)" and "error" in caught
            assert kind in ALLOWED or of_the_caught, f"{file}:{node.lineno} raises {kind}"
            found.add(kind)
    assert found >= set(ALLOWED) - {"LawViolation"}


def test_asserts_are_for_the_type_checker_alone() -> None:
    """Wrong input meets errors; an assertion says of what was checked that it is of a kind."""
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assert):
                said = ast.unparse(node.test)
                narrowing = re.match(r"(?:not )?isinstance\(|.* is not None$|.* is None$", said)
                assert narrowing, f"{file}:{node.lineno} asserts {said}"


WRONG = [None, True, "a", b"a", 1j, -1, 0.5, -0.5, float("nan"), float("inf"), 10**400, 2**70]
WRONG += [[], {}, object(), int, torch.zeros(2, dtype=torch.int64), torch.full((2,), torch.nan)]
WRONG += [torch.zeros(0), torch.full((2,), 7.0), torch.zeros(1, device="meta"), torch.float32]

CHECKS: dict[str, Callable[[object], object]] = {
    "number": lambda x: _typing.number(x, "A width", least=2, most=3),
    "positive": lambda x: _typing.positive(x, "A width", most=0.25),
    "length": lambda x: _typing.length(x, "A width"),
    "not_negative": lambda x: _typing.not_negative(x, "A width"),
    "fraction": lambda x: _typing.fraction(x, "A width", one=False),
    "whole": lambda x: _typing.whole(x, "A width", most=0),
    "checked_seed": lambda x: _typing.checked_seed(x),
    "instance": lambda x: _typing.instance(x, dict, "A width"),
    "choice": lambda x: _typing.choice(x, ("alpha", "beta"), "A width"),
    "flag": lambda x: _typing.flag(x, "A width"),
    "entries": lambda x: _typing.entries(x, "A width", count=2),
    "generator_for": lambda x: _typing.generator_for(x, "A width"),
    "dtype_of": lambda x: _typing.dtype_of(x, "A width"),
    "device_of": lambda x: _typing.device_of(x, "A width"),
    "floating": lambda x: _typing.floating(x, "A width"),
    "integers": lambda x: _typing.integers(x, "A width"),
    "times": lambda x: _typing.times(x),
    "scalar": lambda x: _typing.scalar(x, "A width"),
}


@pytest.fixture
def _unchecked() -> Iterator[None]:
    """Our own checks alone, as users have them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("_unchecked")
@pytest.mark.parametrize("check", CHECKS)
def test_the_checks_of_values_keep_the_rule(check: str) -> None:
    refused = 0
    for value in WRONG:
        try:
            CHECKS[check](value)
        except (TypeError, ValueError) as error:
            refused += 1
            text = str(error)
            assert faults(text) == [], text
            assert "got" in text, text
    assert refused >= 5
