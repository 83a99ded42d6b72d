"""``inftydiff info`` names every backend, what it stands on here, and what is taken by default."""

import torch

from inftydiff.cli.main import main
from inftydiff.operators.local import BACKENDS, installed_backends


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
