"""``inftydiff --help``, ``--version`` and a mistyped command are answered without torch."""

import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest

from inftydiff.cli import main
from inftydiff.cli.command import Command
from inftydiff.cli.front import COMMANDS, kind_of

REPORT = """
import sys
from inftydiff.cli import main
status = main(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(status)
"""
HEAVY = {"torch", "numpy", "tyro", "tqdm", "PIL", "matplotlib", "accelerate", "jaxtyping"}


def answer(*words):
    """The exit status, what was printed, and the modules that were imported."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *words], capture_output=True, text=True, encoding="utf-8"
    )
    *said, modules = done.stderr.splitlines()
    return done.returncode, done.stdout, said, set(modules.split())


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["--help", "train"], ["--debug"]])
def test_help(words):
    status, printed, said, modules = answer(*words)
    assert (status, said) == (0, [])
    assert all(f" {name} " in printed for name in COMMANDS)
    assert not modules & HEAVY


def test_version():
    status, printed, said, modules = answer("--version")
    assert (status, printed, said) == (0, f"inftydiff {version('inftydiff')}\n", [])
    assert not modules & HEAVY


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("trian", "No command is called 'trian'; the nearest is 'train'."),
        ("super_resolv", "No command is called 'super_resolv'; the nearest is 'super-resolve'."),
        ("--sed", "The first word is a command; got '--sed'."),
        ("", "No command is called ''; the nearest is "),
    ],
)
def test_a_mistyped_command_is_one_line(word, line):
    status, printed, (said,), modules = answer(word, "--seed", "1")
    assert (status, printed) == (2, "")
    assert said.startswith(f"inftydiff: {line}")
    assert "Run inftydiff --help" in said
    assert not modules & HEAVY


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_is_that_of_the_docstrings(name):
    kind = kind_of(name)
    assert issubclass(kind, Command)
    paragraph = inspect.getdoc(kind).partition("\n\n")[0]
    assert COMMANDS[name] == " ".join(paragraph.split())


def test_every_command_is_in_the_table():
    kinds = {kind_of(name) for name in COMMANDS}
    assert set(Command.__subclasses__()) == kinds


def test_only_the_chosen_command_is_imported():
    code = (
        "import sys, inftydiff.cli.front as c; c.kind_of('info'); "
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stderr.split())
    assert "inftydiff.cli.info" in modules
    assert not {"inftydiff.cli.train", "inftydiff.cli.evaluate"} & modules


@pytest.mark.parametrize("columns", [10, 40, 80, 300])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_help_is_as_wide_as_the_terminal(monkeypatch, columns, encoding):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    _, printed, _, _ = answer("--help")
    lines = printed.splitlines()
    sides = "|+" if encoding == "ascii" else "│╭╰"
    assert max(map(len, lines)) == min(max(columns, 40), 100) or columns < 46
    assert {len(line) for line in lines if line[:1] in sides and line} == {
        min(max(columns, 40), 100)
    }
    assert "\\u" not in printed


def test_hyphens_may_be_underscores(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["super_resolve", "--help"])
    assert stop.value.code == 0
    assert "usage: inftydiff super-resolve" in capsys.readouterr().out


def test_completions_know_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--tyro-print-completion", "bash"])
    assert not stop.value.code
    printed = capsys.readouterr().out
    assert all(name in printed for name in COMMANDS)
