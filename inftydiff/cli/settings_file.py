"""Settings from a file: ``--config FILE`` stands for the words that its settings are.

The file is TOML or JSON. A key is the name of a setting, with hyphens or underscores, and a table
holds the settings whose names begin with its own::

    data = "photographs"
    resolution = 64
    learning-rate = 1e-3
    minutes = "None"

    [network]
    latent = 64

What the command line says itself goes before what the file says.
"""

import dataclasses
import difflib
import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import tyro

from inftydiff._reading import parse_json, read_text
from inftydiff.cli.command import Command
from inftydiff.cli.components import KIND

__all__ = ["OPTION", "settings", "with_settings"]

OPTION = "--config"
POSITIONAL = get_args(tyro.conf.Positional[str])[1]
"""Tyro's mark of a word without a name."""

NAMED = {"pictures": "data"}
"""The settings that say the same as a word without a name."""


def with_settings(words: Sequence[str], command: type[Command]) -> list[str]:
    """The words of a command, with those of a settings file in place of ``--config FILE``.

    Args:
        words: the words after the command's name.
        command: the command.

    Raises:
        ValueError: if the option has no file or occurs twice, the file cannot be read, or a key is
            not the name of a setting.
    """
    rest, file = _split(words)
    if file is None:
        return list(words)
    found = [(key, _plain(key), value) for key, value in _flat(_read(file))]
    said = [f"--{name}={value if name.endswith(KIND) else ''}" for _, name, value in found]
    names, places = settings(command.form([*said, *rest]).type)
    alone = sum(1 for _ in itertools.takewhile(lambda word: not word.startswith("-"), rest))
    given = {_plain(word[2:].partition("=")[0]) for word in rest if word.startswith("--")}
    given |= {NAMED.get(place, place) for place in places[:alone]}
    for key, name, value in found:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
            raise ValueError(f"{file}: no setting is called {key!r}; the nearest is {near[0]!r}.")
        if name not in given and f"no-{name}" not in given:
            rest += _as_words(name, value, file)
    return rest


def settings(kind: type, prefix: str = "") -> tuple[list[str], list[str]]:
    """The names of a command's settings, and those of what it takes as words without a name."""
    names, places = [], []
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint, name = hints[field.name], f"{prefix}{_plain(field.name)}"
        marked = get_origin(hint) is Annotated  # a word, or fields that stand beside the others
        inner, marks = (get_args(hint)[0], get_args(hint)[1:]) if marked else (hint, ())
        named = next((mark.name for mark in marks if getattr(mark, "name", None)), None)
        name = name if named is None else f"{prefix}{named}"
        if isinstance(inner, type) and dataclasses.is_dataclass(inner):
            below = settings(inner, prefix if marked else f"{name}.")
            names += below[0]
            places += below[1]
        elif POSITIONAL in marks:
            places.append(name)
        elif f"--{name}" != OPTION:
            names.append(name)
    return names, places


def _plain(name: str) -> str:
    return name.replace("_", "-")


def _split(words: Sequence[str]) -> tuple[list[str], Path | None]:
    """The words without the option, and its file."""
    rest: list[str] = []
    files: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == OPTION:
            files.append(next(remaining, ""))
        elif word.startswith(f"{OPTION}="):
            files.append(word.removeprefix(f"{OPTION}="))
        else:
            rest.append(word)
    if not files:
        return rest, None
    if len(files) > 1 or not files[0] or files[0].startswith("--"):
        raise ValueError(f"{OPTION} takes one file; got {' '.join(files) or 'none'}.")
    return rest, Path(files[0])


def _read(file: Path) -> Mapping[str, Any]:
    try:
        text = read_text(file)
        if file.suffix.lower() == ".json":
            settings = parse_json(text)
        elif file.suffix.lower() == ".toml":
            settings = tomllib.loads(text)
        else:
            raise ValueError("its name ends with neither .toml nor .json")
    except (OSError, ValueError, RecursionError) as error:
        said = str(error).removesuffix(".")
        raise ValueError(
            f"{file} cannot be read as settings: {said}. Correct it, or give its settings as "
            "options."
        ) from error
    if not isinstance(settings, dict):
        raise ValueError(
            f"{file} cannot be read as settings: it holds no table. Write the settings as a table, "
            "from names to values."
        )
    return settings


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _as_words(name: str, value: object, file: Path) -> list[str]:
    """The words that give a setting its value."""
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    values = value if isinstance(value, list) else [value]
    if any(isinstance(each, dict | list) for each in values):
        raise ValueError(f"{file}: {name!r} is a number, a word or a list of them; got {value!r}.")
    return [f"--{name}", *map(str, values)]
