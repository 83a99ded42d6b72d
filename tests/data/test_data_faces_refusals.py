"""What ``faces`` cannot do is said before anything is written, with what to do instead."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest

import inftydiff
from inftydiff.data import _avatars as avatars
from inftydiff.data import face_credit, face_seeds, face_styles, faces


@pytest.fixture(autouse=True)
def _unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(script), *arguments]
    package = str(Path(inftydiff.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"style": "toonhead"}, r"'toonhead'. The nearest are toon-head.*face_styles\(\)"),
        ({"style": "zzz"}, r"'zzz'. face_styles\(\) lists all"),
        ({"style": "../toon-head"}, "No style is called"),
        ({"seeds": []}, "at least one seed"),
        ({"seeds": range(0)}, "at least one seed"),
        ({"seeds": [1, -3]}, "got -3"),
        ({"seeds": [2**60]}, "got 1152921504606846976"),
        ({"resolution": 0}, "resolution must be a whole number of at least 1; got 0"),
        ({"resolution": -64}, "resolution .* got -64"),
        ({"background": "blue"}, "background must be a colour .* got 'blue'"),
        ({"background": "b6e3f4ff"}, "six hexadecimal digits"),
        ({"workers": 0}, "workers must be"),
    ],
)
def test_requests_are_refused_before_anything_is_written(
    tmp_path: Path, arguments: dict[str, object], message: str
):
    with pytest.raises(ValueError, match=message):
        faces(cache=tmp_path / "cache", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", [0.5, "1", None])
def test_seeds_that_are_not_whole_are_refused(tmp_path: Path, seed: object):
    with pytest.raises((TypeError, ValueError), match="must be a whole number from 0"):
        faces(seeds=[0, seed], cache=tmp_path / "cache")
    assert not list(tmp_path.iterdir())


def test_styles_that_are_not_square_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    styles = tmp_path / "styles"
    styles.mkdir()
    (styles / "wide.json").write_text('{"canvas": {"width": 20, "height": 10}}')
    monkeypatch.setattr(avatars, "files", lambda name: styles)
    assert face_styles() == ("wide",)
    with pytest.raises(ValueError, match="'wide' is 20 by 10"):
        faces("wide", cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_an_unknown_style_has_no_credit():
    with pytest.raises(ValueError, match=r"nearest are .*cutouts"):
        face_credit("cutout")


@pytest.mark.parametrize(
    ("split", "count", "message"),
    [
        ("dev", 1, "train, validation, test; got 'dev'"),
        ("train", 0, "count"),
        ("test", 10**6 + 1, "has 1000000 seeds; got count=1000001"),
    ],
)
def test_splits_have_names_and_ends(split: str, count: int, message: str):
    with pytest.raises(ValueError, match=message):
        face_seeds(split, count)


def test_a_cache_that_cannot_be_written_to_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot be written to: .*INFTYDIFF_CACHE"):
        faces(seeds=[0], cache=tmp_path / "file")


IMPORT_EACH = """
import sys
from inftydiff.data import faces
for name in sys.argv[2:]:
    before = {name: sys.modules[name]} if name in sys.modules else {}
    sys.modules[name] = None
    try:
        faces(seeds=[0], cache=sys.argv[1])
    except ModuleNotFoundError as error:
        print(error)
    del sys.modules[name]
    sys.modules.update(before)
"""


def test_a_missing_library_is_named_with_the_command(tmp_path: Path):
    libraries = ("PIL", "dicebear", "resvg_py", "tqdm", "dicebear_styles")
    script = tmp_path / "script.py"
    script.write_text(IMPORT_EACH)
    done = run(script, str(tmp_path / "cache"), *libraries)
    assert done.stdout.splitlines() == [
        f'This needs {name}, which is not installed: pip install "inftydiff[demo]"'
        for name in libraries
    ], done.stderr
    assert not (tmp_path / "cache").exists()
