"""The example is installed into a folder of its own that goes on the path, unless it is already."""

import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

import pytest

EXAMPLE = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Install it before its tests are imported; the commands that they call find it too."""
    try:
        version("infty-fno")
    except PackageNotFoundError:
        folder = Path(mkdtemp(prefix="infty_fno_"))
        config.add_cleanup(lambda: shutil.rmtree(folder))
        shutil.copytree(EXAMPLE, folder / "source")  # builds leave files beside what they build
        site = folder / "site"
        options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", site]
        command = [sys.executable, "-m", "pip", "install", *options, folder / "source"]
        subprocess.run([*map(str, command)], check=True)
        sys.path.insert(0, str(site))
        root = Path(find_spec("inftydiff").origin).parents[1]
        os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (site, root)))
