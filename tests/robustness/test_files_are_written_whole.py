"""What a write that fails was to replace is as it was, and what a link leads to is left alone."""

import os
import subprocess
import sys

import pytest

from inftydiff import _writing
from inftydiff._writing import NotWritten, append_line, unfinished, whole_file, whole_folder


@pytest.fixture
def canary(tmp_path):
    file = tmp_path / "outside" / "canary"
    file.parent.mkdir()
    file.write_text("mine")
    return file


def full(*args):
    raise OSError(28, "No space left on device")


def write(file, then):
    with whole_file(file) as partial:
        partial.write_text("new")
        if then is not None:
            then()


def write_two(folder):
    with whole_folder(folder) as partial:
        (partial / "a").write_text("new")
        full()


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("moment", ["body", "flush", "replace"])
def test_a_file_is_the_old_one_or_the_new_one(tmp_path, monkeypatch, there, moment):
    file = tmp_path / "a.txt"
    if there:
        file.write_text("old")
    if moment == "flush":
        monkeypatch.setattr(_writing, "flush", full)
    if moment == "replace":
        monkeypatch.setattr(os, "replace", full)
    with pytest.raises(NotWritten, match=r"a\.txt could not be written: No space left on device"):
        write(file, full if moment == "body" else None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"] * there
    assert not there or file.read_text() == "old"


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_has_all_new_files_or_none(tmp_path, there):
    folder = tmp_path / "out"
    if there:
        folder.mkdir()
        (folder / "a").write_text("old")
    with pytest.raises(NotWritten, match="No space left"):
        write_two(folder)
    assert folder.exists() == there
    assert [path.name for path in tmp_path.iterdir()] == ["out"] * there
    with whole_folder(folder) as partial:
        (partial / "a").write_text("new")
        (partial / "b").write_text("new")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    assert (folder / "a").read_text() == "new"


def test_other_files_of_a_folder_stay(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with whole_folder(tmp_path) as partial:
        (partial / "a").write_text("new")
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_is_replaced_and_not_followed(tmp_path, canary, link):
    link(canary, tmp_path / "a")
    with whole_file(tmp_path / "a") as partial:
        partial.write_text("new")
    assert canary.read_text() == "mine"
    assert (tmp_path / "a").read_text() == "new"
    folder = tmp_path / "out"
    folder.mkdir()
    link(canary, folder / "a")
    with whole_folder(folder) as partial:
        (partial / "a").write_text("new")
    assert canary.read_text() == "mine"


def test_a_line_is_not_added_through_a_link(tmp_path, canary):
    (tmp_path / "log").symlink_to(canary)
    with pytest.raises(OSError, match="it is a link"):
        append_line(tmp_path / "log", "new")
    assert canary.read_text() == "mine"


def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(pipe) as partial, open(partial, "w") as opened:
        opened.write("new")
    assert os.read(reader, 10) == b"new"
    os.close(reader)


def test_a_line_is_not_added_to_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "log")
    with pytest.raises(OSError, match="log could not be written"):
        append_line(tmp_path / "log", "new")


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="is a folder"), whole_file(tmp_path / "a"):
        pass


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    own = unfinished(tmp_path, ".txt")
    dead = own.with_name(own.name.replace(f"-{os.getpid()}-", f"-{killed.pid}-"))
    for path in (own, dead, tmp_path / ".tmp-mine", tmp_path / f".tmp-00000000-{killed.pid}-0"):
        path.write_text("half")
    (dead.with_suffix("")).mkdir()
    with whole_file(tmp_path / "a") as partial:
        partial.write_text("new")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a", own.name, ".tmp-mine", f".tmp-00000000-{killed.pid}-0"}
