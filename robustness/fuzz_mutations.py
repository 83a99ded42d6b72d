"""Mutations of any file, and of JSON and settings: damage by accident and by intent.

A mutation is given a source of choices, a folder and one file in it, changes something there, and
says what in a few words. It may make links to what lies outside, which must stay as it is.
"""

import hashlib
import json
import os
import random
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = [
    "ANY",
    "LINKS",
    "TEXT",
    "Mutation",
    "Unfit",
    "json_places",
    "json_with",
    "resign_perhaps",
    "resigned",
    "safetensors_of",
]

Mutation = Callable[[random.Random, Path, Path], str]


class Unfit(Exception):
    """A mutation that this file cannot have, or this system cannot make."""


NUMBERS = ("10" + "0" * 400, "-1", "0", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "1e-9",
           "1e-320", "1000000000", "20000", "9223372036854775808", "2.5", "true", "null", '"1"',
           "[]", "{}", "[1]", '"x"', "[[1, 2], [3, 4]]", '["a", "b"]', "[1e-9, 1.0]", "[0, 0]",
           "[NaN, 1]", "[1e400, 1]", '{"a": null}', '""', '"\\u0000"', "1e308")  # fmt: skip


def flip(draw: random.Random, folder: Path, file: Path) -> str:
    """Change some bits."""
    content = bytearray(_bytes(file))
    count = draw.choice([1, 1, 3, 20])
    for _ in range(count):
        # half of them near the start, where formats keep what they are
        place = draw.randrange(min(len(content), 200) if draw.random() < 0.5 else len(content))
        content[place] ^= 1 << draw.randrange(8)
    file.write_bytes(content)
    return f"{count} bits flipped"


def truncate(draw: random.Random, folder: Path, file: Path) -> str:
    """Leave out the end."""
    content = _bytes(file)
    kept = draw.choice([0, 1, len(content) // 2, len(content) - 1, draw.randrange(len(content))])
    file.write_bytes(content[:kept])
    return f"truncated to {kept} of {len(content)} bytes"


def extend(draw: random.Random, folder: Path, file: Path) -> str:
    """Add bytes at the end."""
    file.write_bytes(_bytes(file) + draw.randbytes(draw.choice([1, 100, 5000])))
    return "bytes added at its end"


def zeros(draw: random.Random, folder: Path, file: Path) -> str:
    """Put zeros over a part, as a lost block of a disk has."""
    content = bytearray(_bytes(file))
    start = draw.randrange(len(content))
    size = min(draw.choice([8, 64, 4096]), len(content) - start)
    content[start : start + size] = bytes(size)
    file.write_bytes(content)
    return f"{size} bytes from {start} on are zero"


def noise(draw: random.Random, folder: Path, file: Path) -> str:
    """Put random bytes in its place."""
    file.write_bytes(draw.randbytes(draw.choice([1, 100, 5000])))
    return "random bytes in its place"


def swap(draw: random.Random, folder: Path, file: Path) -> str:
    """Put another file of the folder in its place."""
    others = [f for f in sorted(folder.rglob("*")) if f.is_file() and f != file]
    if not others:
        raise Unfit
    other = draw.choice(others)
    shutil.copy(other, file)
    return f"{other.name} in its place"


def remove(draw: random.Random, folder: Path, file: Path) -> str:
    """Remove it."""
    file.unlink()
    return "removed"


def double(draw: random.Random, folder: Path, file: Path) -> str:
    """Put copies beside it, under names that look like other things."""
    name = draw.choice([f".{file.name}", f"{file.name}.tmp", f"{file.stem} copy{file.suffix}",
                        "weights.bin", "pickle.pt", "a\nb.png"])  # fmt: skip
    shutil.copy(file, file.with_name(name))
    return f"a copy called {name!r} beside it"


def directory(draw: random.Random, folder: Path, file: Path) -> str:
    """Put a folder in its place."""
    file.unlink()
    file.mkdir()
    return "a folder in its place"


def fifo(draw: random.Random, folder: Path, file: Path) -> str:
    """Put a pipe in its place, of which a reader waits for ever."""
    file.unlink()
    os.mkfifo(file)
    return "a FIFO in its place"


def closed(draw: random.Random, folder: Path, file: Path) -> str:
    """Forbid to read it."""
    if os.geteuid() == 0:
        raise Unfit("root may read everything")
    file.chmod(0)
    return "no permission to read"


def link(draw: random.Random, folder: Path, file: Path) -> str:
    """Put a link in its place: out of the folder, to nothing, to itself, to a folder."""
    outside = folder.parent / "outside"
    to = draw.choice(["victim", "copy", "nothing", "itself", "folder", "device"])
    target = {
        "victim": outside / "victim.txt",
        "copy": outside / file.name,
        "nothing": outside / "nowhere",
        "itself": file,
        "folder": outside / "folder",
        "device": Path("/dev/zero"),
    }[to]
    if to == "copy":
        shutil.copy(file, target)
    file.unlink()
    file.symlink_to(target)
    return f"a link to {to} in its place"


def linked_writes(draw: random.Random, folder: Path, file: Path) -> str:
    """Put links where a run or a command writes next."""
    outside = folder.parent / "outside"
    names = ["log.jsonl", "steps.jsonl", "config.json", "ranges.json", ".lock", "model.safetensors",
             "samples", "step-00000003", "step-00000001.tmp-00", "step-00000000",
             "log.jsonl.tmp",
             "out/ranges.json", "step-00000009", "tensorboard", "README.md"]  # fmt: skip
    place = folder / draw.choice(names)
    hard = draw.random() < 0.2
    target = outside / draw.choice(["victim.txt", "folder"])
    place.parent.mkdir(exist_ok=True)
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.exists():
        shutil.rmtree(place)
    if hard and target.is_file():
        place.hardlink_to(target)
        return f"{place.name} is {target.name}, by a hard link"
    place.symlink_to(target)
    return f"{place.name} is a link to {target.name}"


def stray(draw: random.Random, folder: Path, file: Path) -> str:
    """Put files and folders of others where checkpoints lie."""
    name = draw.choice(["step-00000000", "step-00000009", "step-00000001.tmp-x", "step-x",
                        "notes.txt",
                        "step-99999999999999999999"])  # fmt: skip
    place = folder / name
    if place.exists():
        raise Unfit
    if draw.random() < 0.5:
        place.write_text("mine")
        return f"a stray file {name}"
    place.mkdir()
    (place / "mine.txt").write_text("mine")
    return f"a stray folder {name}"


def json_value(draw: random.Random, folder: Path, file: Path) -> str:
    """Put a hostile value at a key."""
    record = _json(file)
    places = json_places(record)
    if not places:
        raise Unfit
    where = draw.choice(places)
    value = draw.choice(NUMBERS)
    text = json.dumps(json_with(record, where, "@@"), indent=2)
    file.write_text(text.replace('"@@"', value))
    resign_perhaps(draw, folder)
    return f"{'.'.join(map(str, where))} = {value[:30]}"


def json_keys(draw: random.Random, folder: Path, file: Path) -> str:
    """Take a key away, add one, name one twice, or replace the record."""
    record = _json(file)
    records = [p for p in [(), *json_places(record)] if isinstance(_at(record, p), dict)]
    if not records:
        raise Unfit
    where = draw.choice(records)
    inner = dict(_at(record, where))
    how = draw.choice(["missing", "extra", "twice", "null", "list", "word", "deep", "version"])
    if how == "missing" and inner:
        inner.pop(draw.choice(sorted(inner)))
    elif how == "extra":
        inner[draw.choice(["x", "", "__class__", "version"])] = 1
    elif how == "version":
        inner["version"] = draw.choice([0, 1, 2, 3, "1", None, [1], 1.5, -1, True])
    replaced: Any = {"null": None, "list": [], "word": "word"}.get(how, inner)
    if how == "deep":
        replaced = "@@"
    text = json.dumps(json_with(record, where, replaced), indent=2)
    if how == "deep":
        text = text.replace('"@@"', draw.choice(["[", '{"a":']) * 10**5)
    if how == "twice" and inner:
        key = json.dumps(sorted(inner)[0])
        text = text.replace(key, f"{key}: 7, {key}", 1)
    file.write_text(text)
    resign_perhaps(draw, folder)
    return f"{how} at {'.'.join(map(str, where)) or 'the top'}"


def toml_value(draw: random.Random, folder: Path, file: Path) -> str:
    """Put a hostile value into a line of settings."""
    if file.suffix != ".toml":
        raise Unfit
    lines = file.read_text().splitlines()
    numbers = [i for i, line in enumerate(lines) if "=" in line]
    if not numbers:
        raise Unfit
    number = draw.choice(numbers)
    key = lines[number].partition("=")[0]
    value = draw.choice(["1" + "0" * 400, "inf", "nan", "-inf", "-1", "0", "1e-9", '""', "[]",
                         "true",
                         "[" * 10**5, "1e308", "[nan, 1.0]", "[0]", '"$x^{"', "{a = 1}",
                         "1979-05-27",
                         "1000000000", "[[1]]", '["a"]', '"--resume"', '"-1"'])  # fmt: skip
    lines[number] = f"{key}= {value}"
    file.write_text("\n".join(lines))
    return f"{key.strip()} = {value[:30]}"


def text_value(draw: random.Random, folder: Path, file: Path) -> str:
    """Put a hostile word in the place of a number of a table."""
    if file.suffix not in (".csv", ".txt"):
        raise Unfit
    text = file.read_text()
    numbers = list(re.finditer(r"\d+(\.\d+)?", text))
    if not numbers:
        raise Unfit
    number = draw.choice(numbers)
    value = draw.choice(
        ["nan", "inf", "-1", "1e400", "", ",", "\0", "x", "1" * 5000, '"', "1e308", "é"]
    )
    file.write_text(text[: number.start()] + value + text[number.end() :])
    return f"{value[:20]!r} for a number"


def resign_perhaps(draw: random.Random, folder: Path) -> None:
    """Take the digests away, which would tell of the change at once; or leave them."""
    if draw.random() < 0.75:
        resigned(folder)


def _bytes(file: Path) -> bytes:
    content = file.read_bytes()
    if not content:
        raise Unfit
    return content


def _json(file: Path) -> Any:
    if file.suffix not in (".json", ".zarray", ".zattrs", ".zgroup") and not file.name.startswith(
        ".z"
    ):
        raise Unfit
    try:
        return json.loads(file.read_text())
    except ValueError as error:
        raise Unfit from error


def json_places(record: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values in a record."""
    items = (
        record.items()
        if isinstance(record, dict)
        else enumerate(record)
        if isinstance(record, list)
        else ()
    )
    found: list[tuple[Any, ...]] = []
    for key, value in items:
        found += [(*before, key), *json_places(value, (*before, key))]
    return found


def _at(record: Any, where: tuple[Any, ...]) -> Any:
    for key in where:
        record = record[key]
    return record


def json_with(record: Any, where: tuple[Any, ...], value: Any) -> Any:
    """A copy of a record with another value at a path."""
    if not where:
        return value
    copy = list(record) if isinstance(record, list) else dict(record)
    copy[where[0]] = json_with(record[where[0]], where[1:], value)
    return copy


ANY: tuple[Mutation, ...] = (
    flip,
    flip,
    truncate,
    truncate,
    extend,
    zeros,
    noise,
    swap,
    remove,
    double,
)
LINKS: tuple[Mutation, ...] = (
    directory,
    fifo,
    closed,
    link,
    link,
    linked_writes,
    linked_writes,
    stray,
)
TEXT: tuple[Mutation, ...] = (json_value, json_value, json_keys, toml_value, text_value)


def resigned(folder: Path) -> None:
    """Make the digests in a folder right again, or take them away where they stand in metadata."""
    for file in folder.rglob("*.safetensors"):
        try:
            record, data = safetensors_of(file)
        except Exception:  # it has been damaged
            continue
        if "__metadata__" in record and not (file.parent / "training.safetensors").exists():
            record.pop("__metadata__")
            text = json.dumps(record).encode()
            file.write_bytes(struct.pack("<Q", len(text)) + text + data)
    for config in folder.rglob("config.json"):
        try:
            record = json.loads(config.read_text())
            digests = record["digests"]
        except Exception:  # it has none, or has been damaged
            continue
        for name in digests if isinstance(digests, dict) else ():
            file = config.parent / name
            if file.is_file():
                digests[name] = hashlib.sha256(file.read_bytes()).hexdigest()
        config.write_text(json.dumps(record, indent=2))


def safetensors_of(file: Path) -> tuple[dict[str, Any], bytes]:
    """Return the header of a file of safetensors, and the bytes behind it."""
    if file.suffix != ".safetensors":
        raise Unfit
    content = file.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]
