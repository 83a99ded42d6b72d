"""An error is a crash unless the package raised it in words, or Python or the caller did."""

import subprocess
import sys
from pathlib import Path

import pytest
import the_fuzzer

from robustness.fuzz_judge import described, documented, out_of_memory

TOY = '''
class Told(RuntimeError):
    """An error that the package defines."""

def refused(x):
    raise ValueError(f"Takes a number; got {x!r}.")

def passed_on(x):
    return refused(x)

def formatted(x):
    raise ValueError(f"Takes a number; got {x:.3f}.")

def below(x):
    return float(x)

def missing(x):
    return x.size

def key(x):
    raise KeyError(x)

def told(x):
    raise Told("as documented")

def opened(x):
    return open(x)

def called(x):
    return x()
'''


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A package of bad functions, and its folder."""
    folder = tmp_path_factory.mktemp("toys") / "toypackage"
    folder.mkdir()
    (folder / "__init__.py").write_text(TOY)
    sys.path.insert(0, str(folder.parent))
    import toypackage

    yield toypackage, folder
    sys.path.remove(str(folder.parent))


def raised(call) -> BaseException:
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("refused", "a", True),
        ("passed_on", "a", True),
        ("formatted", "a", False),
        ("below", "a", False),
        ("missing", "a", False),
        ("key", "a", False),
        ("told", "a", True),
        ("opened", "/nowhere/at/all", True),
        ("called", lambda x: x, True),
    ],
)
def test_errors_are_judged_by_who_raised_them(toy, name, value, right):
    package, folder = toy
    error = raised(lambda: getattr(package, name)(value))
    assert documented(error, folder) is right


def test_what_python_says_of_a_call_is_no_crash(toy):
    package, folder = toy
    call = compile("refused()", "<example>", "eval")
    error = raised(lambda: eval(call, {"refused": package.refused}))
    assert documented(error, folder)


def test_an_error_says_where_in_the_package_it_came_from(toy):
    package, folder = toy
    said = described(raised(lambda: package.below("a")), folder)
    assert said.startswith("ValueError at toypackage/__init__.py:")


def test_too_little_memory_is_known_by_its_words():
    import torch

    assert out_of_memory(raised(lambda: torch.empty(2**60, dtype=torch.uint8)))
    assert not out_of_memory(ValueError("can't"))


def test_the_command_refuses_a_tree_without_the_package(tmp_path: Path):
    words = [sys.executable, "-m", "robustness.fuzz", "--calls", "1", "--tree", str(tmp_path)]
    ended = subprocess.run(words, cwd=the_fuzzer.ROOT, capture_output=True, text=True)
    assert ended.returncode != 0
    assert "--tree is a folder with the package" in ended.stderr
