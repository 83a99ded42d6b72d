"""Public is what a package exports, by one address; a page lists it, the rest is underscored."""

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import inftydiff

ROOT = Path(inftydiff.__file__).parents[1]
PAGE = (ROOT / "docs" / "surface.md").read_text(encoding="utf-8")
PACKAGES = [
    "inftydiff",
    *(
        module.name
        for module in pkgutil.walk_packages(inftydiff.__path__, "inftydiff.")
        if module.ispkg and "._" not in module.name and module.name != "inftydiff.cli"
    ),
]
BY_ITSELF = {"inftydiff.testing.strategies"}
"""Rooms that are imported by their own name: this one needs hypothesis."""


def listed(package: str) -> list[str]:
    """The names that the page has of a package."""
    _, _, rest = PAGE.partition(f"\n## `{package}`\n")
    section, _, _ = rest.partition("\n## ")
    return re.findall(r"`(\w+)`", section)


def imports(package: str) -> dict[str, str]:
    """The module that each name of a package is imported from."""
    file = importlib.import_module(package).__file__
    assert file is not None
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name: node.module or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_lists_what_is_exported(package):
    assert listed(package) == sorted(importlib.import_module(package).__all__)


def test_the_page_lists_no_other_package():
    assert re.findall(r"^## `([\w.]+)`$", PAGE, re.M) == PACKAGES


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_that_export_nothing_are_underscored(package):
    exported = {imports(package).get(name) for name in importlib.import_module(package).__all__}
    for room in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        if room.ispkg or room.name in BY_ITSELF or room.name == "inftydiff.cli":
            continue
        private = room.name.rpartition(".")[2].startswith("_")
        assert private or room.name in exported, f"underscore {room.name}, or export what it has"


@pytest.mark.parametrize("package", PACKAGES[1:])
def test_a_name_is_imported_from_where_it_is_defined(package):
    for name, module in imports(package).items():
        if module.startswith("inftydiff.") and not hasattr(
            importlib.import_module(module), "__path__"
        ):
            tree = ast.parse(Path(importlib.import_module(module).__file__).read_text("utf-8"))
            second = {
                alias.asname or alias.name
                for node in tree.body
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
            }
            assert name not in second, f"{package} takes {name} from {module}, which imports it"
