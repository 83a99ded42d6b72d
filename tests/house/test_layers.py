"""Imports run down the layers only, and each outside library stays in the rooms it belongs to."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
PACKAGE = "inftydiff"

LIBRARY = {
    "_typing": set(),
    "_checked": {"_extras"},
    "_components": {"_typing"},
    "_extras": set(),
    "_lazy": set(),
    "_reading": set(),
    "_stopped": set(),
    "_writing": set(),
    "operators": {"_typing", "_components"},
    "processes": {"_typing", "_components", "operators"},
    "models": {"_typing", "_components", "_extras", "operators"},
    "pipelines": {
        *("_typing", "_components", "_extras", "_reading", "_writing"),
        *("operators", "processes", "models"),
    },
    "testing": {"_typing", "_extras", "operators", "processes", "models"},
}
APPLICATIONS = {
    "data": set(LIBRARY),
    "training": {*LIBRARY, "data"},
    "evaluation": {*LIBRARY, "data", "training"},
    "cli": {*LIBRARY, "data", "training", "evaluation"},
}
LAYERS = {"": set(LIBRARY), **LIBRARY, **APPLICATIONS}
"""What each room may import besides itself; the empty name is the root package."""

BASE_LIBRARIES = {
    requirement.partition(">")[0]
    for requirement in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]["dependencies"]
}
"""What every room may import; their distributions and their modules have the same names."""

HOMES = {
    "azula": "inftydiff.processes.conversion",
    "beartype": "inftydiff._checked",
    "diffusers": "inftydiff.models.adapters",
    "hypothesis": "inftydiff.testing.strategies",
    "neuralop": "inftydiff.models.adapters",
    "llvmlite": "inftydiff.operators.local",
    "numba": "inftydiff.operators.local",
    "torchdiffeq": "inftydiff.processes",
    "torchsparse": "inftydiff.operators.local",
    "triton": "inftydiff.operators.local",
}
"""Libraries that one room alone may import."""

SHARED = {"huggingface_hub": "inftydiff.pipelines", "safetensors": "inftydiff.pipelines"}
"""Libraries of the applications that one room below them may import too, when they are used."""

MODULE_ROOMS = {"models", "pipelines", "training"}
"""Where torch.nn.Module and its subclasses may appear."""


def modules(package: Path) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of every module of a package."""
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def imports(tree: ast.Module, base: str) -> Iterator[tuple[str, str]]:
    """Pairs (local name, dotted target) of every import statement, those inside functions too.

    Args:
        tree: a module.
        base: the package that its relative imports start from.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.split(".")[0], alias.name
        elif isinstance(node, ast.ImportFrom):
            above = base.split(".")[: len(base.split(".")) + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield alias.asname or alias.name, f"{source}.{alias.name}"


def uses_module_class(tree: ast.Module, base: str) -> set[str]:
    """Dotted names in ``torch.nn`` that a module refers to and that are ``Module`` classes."""
    meaning = {}
    for local, target in imports(tree, base):
        meaning[local] = target if local != target.split(".")[0] else local
    dotted = set(meaning.values())
    for node in ast.walk(tree):
        names = []
        while isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name) and node.id in meaning:
            dotted.add(".".join([meaning[node.id], *reversed(names)]))
    return {name for name in dotted if is_module_class(name)}


def is_module_class(dotted: str) -> bool:
    """Whether ``torch.nn.X`` names a subclass of ``torch.nn.Module``."""
    value = torch.nn
    for name in dotted.removeprefix("torch.nn.").split("."):
        value = getattr(value, name, None)
    return (
        dotted.startswith("torch.nn.")
        and isinstance(value, type)
        and issubclass(value, torch.nn.Module)
    )


def broken_rules(name: str, room: str, target: str) -> Iterator[str]:
    """What is wrong with module ``name`` of a room importing ``target``, if anything."""
    top, *below = target.split(".")
    if top == PACKAGE:
        other = below[0] if below and below[0] in LAYERS else ""
        allowed = {room, *LAYERS[room], *([""] if room in APPLICATIONS else [])}
        if other not in allowed:
            yield f"{name} imports {target}: {room or PACKAGE} is not above {other or PACKAGE}"
    elif top in HOMES:
        if not f"{name}.".startswith(f"{HOMES[top]}."):
            yield f"{name} imports {top}: it belongs to {HOMES[top]}"
    elif top in SHARED and f"{name}.".startswith(f"{SHARED[top]}."):
        return
    elif top not in sys.stdlib_module_names | BASE_LIBRARIES and room not in APPLICATIONS:
        yield f"{name} imports {top}: it belongs to the applications"


def violations(package: Path) -> list[str]:
    """Every place in a package that breaks a rule of this file, in words."""
    found = set()
    for name, file in modules(package):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        base = name if file.name == "__init__.py" else name.rpartition(".")[0]
        room = [*name.split("."), ""][1]
        if room not in LAYERS:
            found.add(f"{name}: no layer is called {room}")
            continue
        for _, target in imports(tree, base):
            found.update(broken_rules(name, room, target))
        if room not in MODULE_ROOMS:
            found.update(f"{name} refers to {used}" for used in uses_module_class(tree, base))
    return sorted(found)


def plant(folder: Path, module: str, source: str) -> Path:
    """A package of one module, on which the rules are tried."""
    file = folder.joinpath(*module.split(".")).with_suffix(".py")
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    return folder / PACKAGE


def test_the_package_keeps_its_layers():
    assert [name for name, _ in modules(ROOT / PACKAGE)]
    assert violations(ROOT / PACKAGE) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("inftydiff.operators.basis", "import inftydiff.processes"),
        ("inftydiff.operators.basis", "from inftydiff.models import unet"),
        ("inftydiff.operators.basis", "from ..processes.noise import WhiteNoise"),
        ("inftydiff.operators.basis", "from .. import models"),
        ("inftydiff.operators.__init__", "from ..processes import WhiteNoise"),
        ("inftydiff.operators.basis", "from inftydiff import Grid"),
        ("inftydiff.operators.basis", "def f():\n    from inftydiff.cli import main"),
        ("inftydiff._typing", "from inftydiff.operators import Grid"),
        ("inftydiff.processes.noise", "from inftydiff.models import unet"),
        ("inftydiff.models.unet", "from inftydiff.processes import noise"),
        ("inftydiff.testing.laws", "from inftydiff.pipelines import InftyDiff"),
        ("inftydiff.pipelines.infinite", "from inftydiff.testing import laws_for"),
        ("inftydiff.__init__", "from inftydiff.training import train"),
        ("inftydiff.data.faces", "from inftydiff.training import train"),
        ("inftydiff.data.faces", "from inftydiff.cli import main"),
        ("inftydiff.training.loop", "from inftydiff import cli"),
        ("inftydiff.rooms.new", ""),
        ("inftydiff.testing.laws", "import hypothesis"),
        ("inftydiff.operators.spectral", "import numba"),
        ("inftydiff.training.loop", "import triton"),
        ("inftydiff.models.unet", "from PIL import Image"),
        ("inftydiff.testing.oracles", "import matplotlib.pyplot as plt"),
        ("inftydiff.processes.sampler", "from tqdm import tqdm"),
        ("inftydiff.pipelines.infinite", "from accelerate import Accelerator"),
        ("inftydiff.models.unet", "from safetensors.torch import load_file"),
        ("inftydiff.processes.sampler", "def f():\n    import huggingface_hub"),
        ("inftydiff.operators.basis", "import torch\nA = torch.nn.Module"),
        ("inftydiff.operators.basis", "from torch import nn\nclass A(nn.Linear): ..."),
        ("inftydiff.processes.denoiser", "import torch.nn as layers\nA = layers.Module"),
        ("inftydiff.processes.denoiser", "from torch.nn import Module"),
        ("inftydiff.cli.main", "import torch.nn\nf: torch.nn.Module"),
    ],
)
def test_what_breaks_a_rule_is_found(tmp_path: Path, module: str, source: str):
    assert len(violations(plant(tmp_path, module, source))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("inftydiff.__init__", "from inftydiff.operators import Grid\nfrom . import processes"),
        ("inftydiff.operators.basis", "import math, torch\nfrom inftydiff._typing import Scalar"),
        ("inftydiff.operators.local.compiled", "def f():\n    import numba"),
        ("inftydiff.operators.basis", "import torch.nn.functional as F\nf = F.softmax"),
        ("inftydiff.operators.basis", "from torch import nn\nf = nn.functional.softmax"),
        ("inftydiff.models.unet", "from torch import nn\nclass A(nn.Module): ..."),
        ("inftydiff.testing.strategies", "import hypothesis.strategies as st"),
        ("inftydiff.pipelines._pretrained", "def f():\n    import huggingface_hub, safetensors"),
        (
            "inftydiff.training.loop",
            "from inftydiff.data import faces\nimport accelerate, inftydiff",
        ),
        ("inftydiff.cli.main", "import tyro\nfrom inftydiff import Grid, evaluation"),
    ],
)
def test_what_keeps_the_rules_passes(tmp_path: Path, module: str, source: str):
    assert violations(plant(tmp_path, module, source)) == []
