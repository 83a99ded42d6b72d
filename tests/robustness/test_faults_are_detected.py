"""Each fault finds a toy that replaces files in place, and passes one that renames."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from faults_toys import Bench, Children, Target, bench, toy
from PIL import Image

from robustness.faults_disks import fill, mounted
from robustness.faults_hooks import damage
from robustness.faults_links import KINDS, Canaries, put
from robustness.faults_run import Outcome
from robustness.faults_trial import tried
from robustness.faults_verdict import COUNTED, behaved, broken

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="Linux alone")

Made = Callable[[str], tuple[Bench, Target]]


@pytest.fixture(scope="module")
def children(tmp_path_factory) -> Iterator[Children]:
    """Processes of the toy package."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "scratch").mkdir()
    made = Children(toy(folder / "tree"), folder / "scratch")
    yield made
    made.close()


@pytest.fixture
def made(children, tmp_path) -> Made:
    """A bench with one command of the toy package."""
    return lambda how: bench(children, tmp_path, how)


def counted(made: Made, how: str, faults: dict, **words) -> set[str]:
    """What is counted when a command of the toy package is disturbed."""
    place, target = made(how)
    case = place.case("kills", 0)
    if "plan" in faults:
        faults["plan"]["under"] = str(case.folder)
    return {key for key, _ in tried(place, case, target, faults, **words)[1]}


def kill(event: str, number: int = signal.SIGKILL) -> dict:
    return {"plan": {"event": event, "nth": 1, "signal": int(number), "opened": True}}


@pytest.mark.parametrize("event", ["create", "fsync"])
def test_a_kill_loses_a_file_that_is_written_in_place(made, event):
    assert counted(made, "bad", kill(event), sent=signal.SIGKILL) == {"lost"}


@pytest.mark.parametrize("event", ["create", "rename", "remove"])
def test_a_kill_leaves_a_file_that_is_renamed(made, event):
    assert counted(made, "good", kill(event), sent=signal.SIGKILL) <= {"litter"}


def test_a_kill_in_the_middle_of_a_write(made):
    faults = {"fsize": 6, "deadly": True}
    assert counted(made, "bad", faults, sent=signal.SIGXFSZ) == {"lost"}


def test_a_kill_in_the_middle_of_a_write_of_a_partial_file(made):
    faults = {"fsize": 6, "deadly": True}
    assert counted(made, "good", faults, sent=signal.SIGXFSZ) <= {"litter"}


def test_an_interrupt_that_nothing_catches_is_a_crash(made):
    assert "crash" in counted(made, "good", kill("create", signal.SIGINT), sent=signal.SIGINT)


@pytest.mark.parametrize(("how", "found"), [("bad", {"lost"}), ("good", set())])
def test_an_error_of_the_system(made, how, found):
    event = "fsync" if how == "bad" else "rename"
    plan = {"event": event, "nth": 1, "errno": errno.ENOSPC}
    assert counted(made, how, {"plan": plan}, named=True) == found


@pytest.mark.parametrize(("how", "found"), [("bad", {"lost"}), ("good", set())])
def test_a_limit_on_the_size_of_files(made, how, found):
    assert counted(made, how, {"fsize": 6}, named=True) == found


def test_a_file_that_is_not_written_is_missed(made, tmp_path):
    place, target = made("silent")
    case = place.case("kills", 0)
    verdict = tried(place, case, target, {}, ready=(case.folder / "place/a.json").unlink)[1]
    assert {"lost", "truncated"} == {key for key, _ in verdict}


def test_a_disk_is_full(tmp_path):
    with mounted(tmp_path / "disk") as place:
        if place is None:
            pytest.skip("no disk can be mounted here")
        fill(place / "ballast", 8192)
        (place / "a").write_bytes(bytes(8192))
        with pytest.raises(OSError, match="No space left"):
            (place / "b").write_bytes(bytes(4096))
        (place / "ballast").unlink()
        (place / "b").write_bytes(bytes(4096))


def test_what_goes_on_for_too_long_hangs(children):
    outcome = children.run({"argv": ["sleep", "a"]}, 0.2)
    assert [key for key, _ in behaved(outcome)] == ["hang"]


def test_an_unexpected_error_is_a_crash(children):
    for outcome in (children.run({"argv": ["raise", "a"]}, 20), children.fresh(["raise", "a"], 20)):
        assert [key for key, _ in behaved(outcome)] == ["crash"]


def test_an_interrupt_at_an_import_is_sent(children):
    plan = {"event": "import", "nth": 2, "signal": int(signal.SIGINT)}
    outcome = children.fresh(["silent", "a"], 20, plan=plan)
    assert [key for key, _ in behaved(outcome, sent=signal.SIGINT)] == ["crash"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["bad", "good"])
def test_links_that_are_followed(children, tmp_path, kind, how):
    file = tmp_path / "run" / "a.json"
    file.parent.mkdir()
    file.write_text("[4]", encoding="utf-8")
    canaries = Canaries(tmp_path / "outside")
    put(kind, file, canaries)
    outcome = children.run({"argv": [how, str(file)]}, 20)
    assert not behaved(outcome)
    followed = how == "bad" and kind not in ("folder", "loop")
    assert [key for key, _ in canaries.verdict()] == ["followed"] * followed


def test_an_interrupt_that_python_drops_is_none():
    trace = "Traceback (most recent call last):\n  File x\nKeyboardInterrupt: \n"
    dropped = Outcome(0, "", f"Exception ignored in: <f>\n{trace}done\n", False, 1.0)
    assert not behaved(dropped, sent=signal.SIGINT)
    assert behaved(dropped)
    assert behaved(Outcome(0, "", trace, False, 1.0), sent=signal.SIGINT)


def test_all_that_is_counted_is_in_the_total():
    assert set(COUNTED) == {"crash", "hang", "lost", "followed", "truncated", "litter"}


def test_outputs_are_told_from_damaged_ones(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.arange(4.0))
    np.savez(tmp_path / "a.npz", x=np.arange(4.0))
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "a.json").write_text('{"a": 1}', encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"a": "longer"}\n', encoding="utf-8")
    for file in sorted(tmp_path.iterdir()):
        assert broken(file) is None
        damage(str(file), "half")
        assert broken(file) is not None, file
    np.save(tmp_path / "b.npy", np.array([1.0, np.nan]))
    assert broken(tmp_path / "b.npy") == "is not finite"
