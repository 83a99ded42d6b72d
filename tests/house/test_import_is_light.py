"""``import inftydiff`` takes the standard library, and what is used of it the base dependencies."""

import json
import subprocess
import sys

import pytest

import inftydiff

LIST_MODULES = "import json, sys; print(json.dumps(sorted(sys.modules)))"
BASE = "import torch, numpy, jaxtyping"
EVERYTHING = "from inftydiff import *"
TORCH_LOADED_ON_USE = {"torch._dynamo", "torch._inductor", "torch.onnx", "torch.utils.tensorboard"}


def loaded(statement: str) -> set[str]:
    """Names of the modules in a fresh interpreter after a statement."""
    command = [sys.executable, "-c", f"{statement}\n{LIST_MODULES}"]
    return set(
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    )


def outside(names: set[str]) -> set[str]:
    """The libraries among modules, without this one and the standard one."""
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"inftydiff"}


def test_the_import_takes_no_library():
    assert not outside(loaded("import inftydiff") - loaded("import json"))


@pytest.mark.thorough
def test_nothing_optional_is_imported():
    extra = loaded(f"{BASE}\n{EVERYTHING}") - loaded(BASE)
    assert "inftydiff.operators" in extra
    assert outside(extra) <= {"torch", "numpy", "jaxtyping"}
    assert not extra & TORCH_LOADED_ON_USE


def test_applications_are_not_imported():
    applications = {f"inftydiff.{name}" for name in ("cli", "data", "training", "evaluation")}
    assert not loaded(EVERYTHING) & applications


@pytest.mark.thorough
def test_a_name_imports_its_room_and_what_is_beneath():
    rooms = {f"inftydiff.{name}" for name in ("operators", "processes", "models", "pipelines")}
    assert loaded("from inftydiff import Grid") & rooms == {"inftydiff.operators"}
    assert loaded("import inftydiff\ninftydiff.sample") & rooms == {
        "inftydiff.operators",
        "inftydiff.processes",
    }


def test_what_asks_for_no_name_imports_no_torch():
    asked = "dir(inftydiff), inftydiff.__version__, inftydiff.__all__, getattr(inftydiff, 'no', 0)"
    assert "torch" not in loaded(f"import inftydiff\n{asked}")
    assert "Grid" in dir(inftydiff)
