"""The root package answers for its names as if it had imported them all."""

import ast
import copy
import pickle
import pydoc
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import inftydiff

ROOT = Path(__file__).parents[2]
ROOMS = {"models", "operators", "pipelines", "processes", "testing"}


def stated():
    """What the imports for type checkers say: the module of each name."""
    tree = ast.parse(Path(inftydiff.__file__).read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module for node in imports for alias in node.names}


def test_type_checkers_are_told_what_is_exported():
    assert set(inftydiff.__all__) == stated().keys() - ROOMS
    assert {name for name, module in stated().items() if module == "inftydiff"} == ROOMS


@pytest.mark.parametrize("name", inftydiff.__all__)
def test_a_name_is_what_type_checkers_are_told(name):
    assert getattr(inftydiff, name) is getattr(import_module(stated()[name]), name)
    assert vars(inftydiff)[name] is getattr(inftydiff, name)


@pytest.mark.parametrize("name", sorted(ROOMS))
def test_a_room_is_an_attribute(name):
    assert getattr(inftydiff, name) is sys.modules[f"inftydiff.{name}"]


def test_the_list_is_whole():
    assert {*inftydiff.__all__, *ROOMS, "__version__", "__all__"} <= set(dir(inftydiff))
    names = {}
    exec("from inftydiff import *", names)
    assert set(inftydiff.__all__) <= names.keys()


def test_help_shows_the_names():
    text = pydoc.plain(pydoc.render_doc(inftydiff))
    assert "class Grid(" in text
    assert version("inftydiff") in text


def test_classes_and_values_are_copied_and_pickled():
    grid = inftydiff.Grid((2, 3))
    assert pickle.loads(pickle.dumps(inftydiff.Grid)) is inftydiff.Grid
    assert copy.deepcopy(grid) == pickle.loads(pickle.dumps(grid)) == grid


def test_the_version_is_that_of_the_project():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert inftydiff.__version__ == version("inftydiff")
    assert inftydiff.__version__ == tomllib.loads(text)["project"]["version"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Gird", "; did you mean 'Grid'?"),
        ("smple", "; did you mean 'sample'?"),
        ("procesess", "; did you mean 'processes'?"),
        ("components", "; did you mean 'component'?"),
        ("nothing_of_the_kind", ""),
        ("_Grid", ""),
    ],
)
def test_a_misspelt_name_is_answered_by_the_nearest(name, hint):
    with pytest.raises(AttributeError) as error:
        getattr(inftydiff, name)
    assert str(error.value) == f"module 'inftydiff' has no attribute {name!r}{hint}"
    with pytest.raises(ImportError, match=f"cannot import name '{name}'"):
        exec(f"from inftydiff import {name}")


def test_a_kind_of_the_package_is_taken_before_its_class_is_imported():
    code = (
        "from dataclasses import make_dataclass\nfrom inftydiff import component\n"
        "mine = make_dataclass('Mine', [], frozen=True)\n"
        "print(component('schedule', 'mine')(mine).kind)\n"
        "try:\n    component('schedule', 'cosine')(mine)\n"
        "except ValueError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kind, said = done.stdout.splitlines()
    assert kind == "mine"
    assert said.startswith("The schedule 'cosine' is inftydiff.processes.schedules.cosine.")


@pytest.mark.thorough
def test_the_checks_of_calls_come_before_the_names():
    code = (
        "import inftydiff, jaxtyping\n"
        "try:\n    inftydiff.Grid('ab')\n"
        "except jaxtyping.TypeCheckError:\n    print('checked')"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import os; os.environ['INFTYDIFF_TYPECHECK'] = '1'\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "checked\n"


@pytest.mark.slow
def test_type_checkers_know_the_names(tmp_path):
    api = pytest.importorskip("mypy.api")
    file = tmp_path / "user.py"
    file.write_text(
        "import inftydiff\nfrom inftydiff import Grid\n"
        "reveal_type(Grid((2, 2)))\nreveal_type(inftydiff.operators.Grid((2, 2)))\n"
        "reveal_type(inftydiff.__version__)\ninftydiff.Gird\n",
        encoding="utf-8",
    )
    said, _, _ = api.run(["--strict", "--config-file=", "--cache-dir", str(tmp_path), str(file)])
    lines = [line.partition("user.py:")[2] for line in said.splitlines() if "user.py:" in line]
    grid = 'note: Revealed type is "inftydiff.operators.discretisation.Grid"'
    assert lines == [
        f"3: {grid}",
        f"4: {grid}",
        '5: note: Revealed type is "str"',
        '6: error: Module has no attribute "Gird"  [attr-defined]',
    ]
