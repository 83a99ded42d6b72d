"""The page of equations has each of the paper's equations once, and what it names is there."""

import ast
import functools
import pkgutil
import re
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "equations.md"


class Row(NamedTuple):
    """A row of the table."""

    number: int
    says: str
    here: str
    verdict: str
    tests: list[tuple[str, str]]


def row(line: str) -> Row:
    number, says, here, verdict, tests = line.strip("|").split(" | ")
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", tests)
    assert tests.strip() == ", ".join(f"`{file}::{name}`" for file, name in named)
    return Row(int(number.strip(" ()")), says.strip(), here.strip(), verdict.strip(), named)


ROWS = [row(line) for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] == "| ("]


@functools.cache
def functions(name: str) -> set[str]:
    """The names of the test functions of a file."""
    (file,) = TESTS.rglob(name)
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return {
        node.name
        for node in body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_each_equation_occurs_once_and_in_order():
    assert [row.number for row in ROWS] == list(range(1, 47))


def test_each_row_says_whether_the_equation_is_right():
    for row in ROWS:
        assert row.says, row.number
        assert re.match(r"correct($|[;,] )|\*\*corrected\*\*: ", row.verdict), row.number


def test_the_tests_named_exist():
    for row in ROWS:
        assert row.tests, row.number
        assert len(set(row.tests)) == len(row.tests), row.number
        for file, name in row.tests:
            assert name in functions(file), f"({row.number}) names {file}::{name}"


def test_what_is_said_to_be_here_can_be_imported():
    for row in ROWS:
        roles = re.findall(r"\{(class|func|meth)\}`(?:~|[^`<]+<)([\w.]+)>?`", row.here)
        assert roles or row.here.startswith("the same"), row.number
        for kind, name in roles:
            assert name.startswith("inftydiff."), name
            assert isinstance(pkgutil.resolve_name(name), type) == (kind == "class"), name


@pytest.mark.thorough
def test_every_test_that_is_named_after_an_equation_is_in_its_row():
    held = {(row.number, *test) for row in ROWS for test in row.tests}
    for file in sorted(TESTS.rglob("test_*.py")):
        for name in functions(file.name):
            numbers = re.match(r"test_equations?_(\d+)(?:_(and|to)_(\d+))?_", name)
            if numbers is None:
                continue
            first, joined, last = numbers.groups()
            named = {int(first), int(last or first)}
            if joined == "to":
                named = set(range(int(first), int(last) + 1))
            for number in sorted(named):
                assert (number, file.name, name) in held, f"({number}) lacks {file.name}::{name}"
