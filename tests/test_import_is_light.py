"""``import inftydiff`` loads the base dependencies and the standard library, and nothing else."""

import json
import subprocess
import sys

LIST_MODULES = "import json, sys; print(json.dumps(sorted(sys.modules)))"
BASE = "import torch, numpy, jaxtyping"
TORCH_LOADED_ON_USE = {"torch._dynamo", "torch._inductor", "torch.onnx", "torch.utils.tensorboard"}


def loaded(statement: str) -> set[str]:
    """Names of the modules in a fresh interpreter after a statement."""
    command = [sys.executable, "-c", f"{statement}\n{LIST_MODULES}"]
    return set(
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    )


def test_nothing_optional_is_imported():
    extra = loaded(f"{BASE}\nimport inftydiff") - loaded(BASE)
    assert "inftydiff.operators" in extra
    outside = {name.partition(".")[0] for name in extra} - sys.stdlib_module_names - {"inftydiff"}
    assert outside <= {"torch", "numpy", "jaxtyping"}
    assert not extra & TORCH_LOADED_ON_USE


def test_applications_are_not_imported():
    applications = {f"inftydiff.{name}" for name in ("cli", "data", "training", "evaluation")}
    assert not loaded("import inftydiff") & applications
