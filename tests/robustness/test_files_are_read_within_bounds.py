"""Only regular files of a folder are read, and JSON only within bounds."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inftydiff._reading import parse_json, read_json, read_text, require_regular

RECORDS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(RECORDS)
def test_what_json_holds_within_bounds_comes_back(record):
    assert parse_json(json.dumps(record)) == json.loads(json.dumps(record))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10**5, "nested too deeply"),
        ("[" * 65 + "]" * 65, "nested too deeply"),
        ('{"a":' * 10**5, "nested too deeply"),
        ("Infinity", "Infinity is not a finite number"),
        ("NaN", "NaN is not a finite number"),
        ("1e400", "not a finite number"),
        ("1" + "0" * 400, "too large"),
        ("1" + "0" * 5000, "too large"),
        ("9223372036854775808", "too large"),
        ('{"a": 1, "a": 2}', "'a' occurs twice"),
        ("", "Expecting value"),
    ],
)
def test_what_is_beyond_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.json").write_text("{}")
    (tmp_path / "outside.json").write_text('{"secret": 1}')
    return inside


def test_a_link_within_the_folder_is_read(folder):
    (folder / "link").symlink_to("a.json")
    assert read_json(folder / "link", within=folder) == {}


@pytest.mark.parametrize("kind", ["file", "relative", "folder", "chain"])
def test_a_link_out_of_the_folder_is_not_followed(folder, kind):
    file = folder / "link"
    if kind == "file":
        file.symlink_to(folder.parent / "outside.json")
    elif kind == "relative":
        file.symlink_to("../outside.json")
    elif kind == "chain":
        (folder / "next").symlink_to("../outside.json")
        file.symlink_to("next")
    else:
        (folder / "up").symlink_to("..")
        file = folder / "up" / "outside.json"
    with pytest.raises(ValueError, match="is outside of .* and is not followed"):
        read_json(file, within=folder)


def test_the_cache_of_the_hub_links_to_its_blobs(tmp_path):
    snapshot, blobs = tmp_path / "snapshots" / "abc", tmp_path / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "1").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/1")
    assert read_json(snapshot / "config.json", within=snapshot) == {}


def test_a_pipe_is_not_waited_for(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(ValueError, match="no regular file"):
        read_text(folder / "pipe")


@pytest.mark.parametrize("target", ["nothing", "link"])
def test_a_link_to_nothing_or_to_itself_is_named(folder, target):
    (folder / "link").symlink_to(target)
    with pytest.raises(ValueError, match="link that cannot be followed"):
        require_regular(folder / "link")


def test_a_text_has_a_largest_size(folder):
    (folder / "long").write_text("x" * 11)
    assert len(read_text(folder / "long", largest=11)) == 11
    with pytest.raises(ValueError, match="more than 10 bytes"):
        read_text(folder / "long", largest=10)


def test_a_folder_is_no_file(folder):
    with pytest.raises(ValueError, match="is a folder"):
        read_text(folder)
