"""A network in a package of its own is trained, killed, resumed, saved, loaded and sampled.

The package is installed into a folder that goes on the path, and nowhere else.
"""

import os
import shutil
import subprocess
import sys
import time
from importlib import invalidate_caches
from pathlib import Path

import numpy as np
import pytest
import torch

import inftydiff
from inftydiff import Box, Function, Grid, Subset, steps
from inftydiff._components import find, kind_of
from inftydiff.pipelines import InftyDiff, InftyDiffConfig, load_pipeline, preset
from inftydiff.testing import laws_for

HERE = Path(__file__).parent
SMALL = {"width": 6, "modes": 3, "blocks": 2}
TRAIN = [
    *("train", "faces", "--images", "16", "--resolution", "16", "--held-out", "4"),
    *("--preset", "tiny", "--batch-size", "4", "--minutes", "None", "--checkpoint-steps", "2"),
    *("--network.kind", "infty_fno", "--network.width", "6", "--network.modes", "3"),
]
COMMAND = [sys.executable, "-m", "inftydiff.cli"]
MIXED = Box((1.0, 0.5), boundary=("periodic", "absorbing"))


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory):
    """A folder on the path with the package installed in it."""
    source, folder = tmp_path_factory.mktemp("source") / "fno", tmp_path_factory.mktemp("site")
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__*__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([*pip, *options, str(source)], check=True)
    with pytest.MonkeyPatch.context() as patch:
        root = Path(inftydiff.__file__).parents[1]
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(root)]))
        patch.syspath_prepend(folder)
        invalidate_caches()
        yield folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that was killed between two checkpoints, and resumed."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    words = [*TRAIN, "--out", str(folder)]
    process = subprocess.Popen([*COMMAND, *words, "--max-steps", "100000"])
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (folder / "step-00000004" / "model.safetensors").exists():
            break
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -9
    reached = max(int(each.name[5:]) for each in folder.glob("step-*"))
    command([*words, "--resume", "--max-steps", str(reached + 5)])
    assert (folder / f"step-{reached + 5:08d}").is_dir()
    return folder


def command(words):
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def network(domain, channels=3, **given):
    torch.manual_seed(0)
    return find("network", "infty_fno")(**SMALL).build(channels, domain, **given).eval()


def test_it_is_found_by_its_kind_and_comes_from_where_it_was_installed(site):
    cls = find("network", "infty_fno")
    assert kind_of(cls) == "infty_fno"
    assert Path(sys.modules[cls.__module__].__file__).is_relative_to(site)


@pytest.mark.parametrize(
    "grid", [None, Grid((16,)), Grid((8, 10), MIXED), Grid((4, 5, 3))], ids=["", "1", "2", "3"]
)
def test_it_keeps_the_laws_of_neural_operators(grid):
    domain = Box((1.0, 1.0)) if grid is None else grid.domain
    where = {} if grid is None else {"on": grid}
    for law in laws_for(network(domain), **where):
        law()


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 64)])
def test_it_reads_grids_with_fewer_cells_than_modes(shape):
    x = Function(Grid(shape, Box((1.0, 1.0))), torch.randn(2, shape[0] * shape[1], 3))
    answer = network(Box((1.0, 1.0)))(x, torch.tensor([0.2, 0.9]))
    assert answer.values.shape == x.values.shape
    assert answer.values.isfinite().all()


def test_it_is_told_a_latent():
    model, x = network(Box((1.0, 1.0)), latent=4), Function(Grid((4, 4)), torch.zeros(2, 16, 3))
    assert model.capabilities.inputs == ("latent",)
    a, b = model(x, torch.ones(2), latent=torch.eye(2, 4)).values
    assert not torch.allclose(a, b)
    with pytest.raises(TypeError, match="no latent"):
        network(Box((1.0, 1.0)))(x, torch.ones(2), latent=torch.eye(2, 4))


def test_what_it_cannot_read_is_refused():
    model, grid = network(Box((1.0, 1.0))), Grid((4, 4))
    part = Function(Subset(grid, torch.arange(5)), torch.zeros(2, 5, 3))
    with pytest.raises(ValueError, match="An FNO reads whole grids; got Subset"):
        model(part, torch.ones(2))
    with pytest.raises(ValueError, match="numbers from 1 up"):
        find("network", "infty_fno")(modes=0)


def test_all_its_parameters_are_trained():
    config = {"network": find("network", "infty_fno")(**SMALL), "channels": 1, "clip": None}
    model = InftyDiff(InftyDiffConfig(**config))
    x0 = Function(model.grid(8), torch.randn(2, 64, 1))
    generator = torch.Generator().manual_seed(0)
    model.loss(x0, torch.tensor([0.3, 0.7]), generator=generator).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.network.parameters())


def test_a_trained_one_is_saved_and_loaded(run, tmp_path):
    model = load_pipeline(run).eval()
    assert model.config.network == find("network", "infty_fno")(width=6, modes=3)
    model.save_pretrained(tmp_path / "model")
    loaded = InftyDiff.from_pretrained(tmp_path / "model").eval()
    draw = {"on": model.grid(9), "seeds": [3, 4], "times": steps(2)}
    assert loaded.config == model.config != preset("tiny", resolution=16)
    assert torch.equal(loaded.sample(**draw).values, model.sample(**draw).values)


def test_the_commands_know_it(run, tmp_path):
    assert "inftydiff" in command(["info"])
    for size in (["12"], ["20", "28"]):
        out = tmp_path / "x.npy"
        words = ["--size", *size, "--count", "2", "--steps", "2", "--out", str(out), "--overwrite"]
        command(["sample", str(run), *words])
        x = np.load(out)
        assert x.shape == (2, 3, int(size[0]), int(size[-1]))
        assert np.isfinite(x).all()
