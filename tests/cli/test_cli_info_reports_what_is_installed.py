"""``inftydiff info`` tells the version of every optional library, or how to install it."""

import re
import shutil
import tomllib
from importlib.metadata import version
from pathlib import Path

from inftydiff.cli import info
from inftydiff.cli.front import EXTRAS
from inftydiff.cli.info import installed_lines
from inftydiff.cli.main import main

DEVELOPERS = {"test", "docs", "dev"}


def test_the_extras_are_those_of_the_project():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    stated = tomllib.loads(text)["project"]["optional-dependencies"]
    names = {
        extra: {re.match(r"[\w.-]+", line).group() for line in lines} - {"inftydiff"}
        for extra, lines in stated.items()
        if extra not in DEVELOPERS
    }
    assert names == {extra: set(own) for extra, own in EXTRAS.items()}


def test_versions_and_commands(capsys, monkeypatch):
    monkeypatch.setattr(info, "OTHERS", ("torch", "no-such-library"))
    monkeypatch.setattr(info, "EXTRAS", {"train": ("tqdm",), "lsun": ("nothing-here",)})
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"  train        tqdm {version('tqdm')}" in lines
    assert '  lsun         nothing-here missing; pip install "inftydiff[lsun]"' in lines
    (others,) = [line for line in lines if line.startswith("  others ")]
    assert others.endswith("no-such-library missing; pip install no-such-library")


def test_compiler_and_weights(tmp_path, monkeypatch):
    (tmp_path / "model.safetensors").write_bytes(bytes(2_500_000))
    monkeypatch.setattr(info, "shipped", lambda: {"mine": tmp_path})
    monkeypatch.setattr(shutil, "which", lambda name: "/there/cc" if name == "cc" else None)
    monkeypatch.setenv("CXX", "cc")
    assert list(installed_lines())[-2:] == [
        "For --compile: /there/cc",
        "Weights in the package: mine (2.50 MB)",
    ]
    monkeypatch.delenv("CXX")
    monkeypatch.setattr(info, "shipped", dict)
    assert list(installed_lines())[-2:] == [
        "For --compile: no compiler was found, such as g++",
        "Weights in the package: none",
    ]
