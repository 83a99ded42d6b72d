"""``inftydiff info`` names every backend, what it stands on here, and what is taken by default."""

import pytest
import torch

from inftydiff.cli.main import main
from inftydiff.operators.local import BACKENDS, installed_backends
from inftydiff.operators.local import _thread_pool as thread_pool
from inftydiff.operators.local.backend import automatic_pairs


def test_every_backend_is_named_with_its_version(capsys):
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for backend in BACKENDS:
        (line,) = [line for line in lines if line.startswith(f"  {backend} ")]
        assert installed_backends().get(backend, "not installed") in line
    assert any(torch.__version__ in line for line in lines)


def test_a_missing_library_is_said_to_be_missing(capsys, monkeypatch):
    without = {name: what for name, what in installed_backends().items() if name != "numba"}
    monkeypatch.setattr("inftydiff.operators.local.backend.installed_backends", lambda: without)
    monkeypatch.setattr("inftydiff.cli.info.installed_backends", lambda: without)
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    (line,) = [line for line in out.splitlines() if line.split()[:1] == ["numba"]]
    assert "not installed" in line
    (choice,) = [line for line in out.splitlines() if "cpu" in line and "scattered" in line]
    assert choice.split()[-1] == "torch"


@pytest.mark.parametrize("layer", ["OpenMP", "Python"])
def test_the_threads_are_named(layer, capsys, monkeypatch):
    monkeypatch.setattr("inftydiff.cli.info.threading_layer", lambda: layer)
    assert main(["info"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Kernels for CPUs" in line]
    assert layer in line
    assert thread_pool.threading_layer() in ("OpenMP", "Python")


def test_many_points_of_a_refined_grid_are_convolved(capsys):
    assert main(["info"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    chosen = {line[6:34].strip(): line.split()[-1] for line in lines if line.startswith("cpu ")}
    pairs = automatic_pairs(torch.device("cpu"))
    assert chosen["a 64² grid"] == chosen["a 256² grid"] == "dense"
    assert chosen["1/2 of the points of 256²"] == "dense"
    assert chosen["1/16 of the points of 64²"] == pairs


def test_a_library_that_cannot_be_imported(capsys, monkeypatch):
    there = {**installed_backends(), "numba": "numba 0.1"}
    for module in ("cli.info", "operators.local.backend"):
        monkeypatch.setattr(f"inftydiff.{module}.installed_backends", lambda: there)
        monkeypatch.setattr(f"inftydiff.{module}.importable", lambda backend: backend != "numba")
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert "numba 0.1, which cannot be imported" in out
    (choice,) = [line for line in out.splitlines() if "cpu" in line and "scattered" in line]
    assert choice.split()[-1] == "torch"
