"""Full disks, and errors of the system: no room, no rights, too many files, a folder that goes."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robustness.faults_bench import Bench
from robustness.faults_hooks import EVENTS
from robustness.faults_targets import target
from robustness.faults_trial import left, resumed, tried
from robustness.faults_verdict import Verdict, behaved

__all__ = ["disk", "error"]

MEGABYTES = 24
NOBODY = 65534
AIMED = (
    ("sample to .npy", 0.1),
    ("train", 0.05),
    ("save_pretrained", 0.3),
    ("sample to a new folder", 0.5),
    ("train --resume", 0.3),
    ("sample to a folder", 0.2),
    ("inpaint", 0.4),
    ("faces", 0.5),
    ("train on fields", 0.0),
    ("train-prior", 0.3),
)
"""The first cases: what is disturbed, and the part of the room that it needs."""
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EMFILE, errno.EACCES)
WAYS = {"raised": 50, "files": 15, "readonly": 10, "gone": 13, "rights": 12}


def disk(bench: Bench, number: int) -> None:
    """Let the disk be full at some moment of a target, and judge what comes of it."""
    case = bench.case("disks", number)
    if number < len(AIMED):
        case.target, part = AIMED[number]
        chosen = target(case.target)
    else:
        chosen = bench.choose(case)
        part = case.draw.choice((0.0, 1.0, 1.0, 1.0)) * case.draw.random() ** (1 + number % 2)
    need = bench.reference(chosen).need
    room = int(need * part)
    case.fault = f"a disk with {room} of {need} bytes free"
    with mounted(case.folder / "disk") as place:
        if place is None:
            bench.skipped.append("no disk can be mounted here; a limit on files takes its place")
            size = max(1, room // 8)
            case.fault = f"no file can have more than {size} bytes"
            _, verdict = tried(bench, case, chosen, {"fsize": size}, named=True)
        else:
            ballast = place / "ballast"
            _, verdict = tried(
                bench,
                case,
                chosen,
                {},
                folder=place / "t",
                ready=lambda: fill(ballast, room),
                mend=ballast.unlink,
                named=True,
            )
    bench.found(case, verdict)


def error(bench: Bench, number: int) -> None:
    """Let the system refuse what a target asks of it, and judge what comes of it."""
    case = bench.case("errors", number)
    way = case.draw.choices(list(WAYS), list(WAYS.values()))[0]
    chosen = bench.choose(case)
    reference, folder = bench.reference(chosen), case.folder
    event = case.draw.choice([k for k in (*EVENTS, "any") if reference.counts.get(k)])
    nth = case.draw.randint(1, reference.counts[event])
    moment = {"under": str(folder), "event": event, "nth": nth}
    if way == "raised":
        code = case.draw.choice(ERRORS)
        case.fault = f"{errno.errorcode[code]} at {event} {nth}"
        named = code == errno.ENOSPC
        _, verdict = tried(bench, case, chosen, {"plan": {**moment, "errno": code}}, named=named)
    elif way == "files":
        more = case.draw.randint(0, 6)
        case.fault = f"{more} more files can be opened"
        _, verdict = tried(bench, case, chosen, {"nofile": more})
    elif way == "readonly":
        case.fault = "a disk that is read only"
        verdict = _read_only(bench, chosen.name, folder)
    elif way == "gone":
        case.fault = f"the folder is removed at {event} {nth}"
        verdict = _unkept(bench, chosen.name, folder, {"plan": {**moment, "remove": str(folder)}})
    else:
        case.fault = f"the right to write is lost at {event} {nth}"
        verdict = _without_rights(bench, chosen.name, folder, moment)
    bench.found(case, verdict)


def _read_only(bench: Bench, name: str, folder: Path) -> Verdict:
    """Run a target where nothing can be written."""
    chosen = target(name)
    with mounted(folder / "disk") as place:
        if place is None:
            bench.skipped.append("no disk can be mounted here, so none is read only")
            return []
        before = bench.prepare(chosen, place / "t")
        _mount(place, "-o", "remount,ro")
        job = chosen.job(bench.fixture, place / "t")
        outcome = bench.children.run(job, bench.limit(chosen))
        verdict = behaved(outcome, allowed=(2,))
        _mount(place, "-o", "remount,rw")
        verdict += left(bench, chosen, place / "t", before, {}, failed=True)
        return verdict + resumed(bench, chosen, place / "t")


def _unkept(bench: Bench, name: str, folder: Path, faults: dict[str, object]) -> Verdict:
    """Run a target of which nothing can be left; it has to say so in words."""
    chosen = target(name)
    bench.prepare(chosen, folder)
    job = {**chosen.job(bench.fixture, folder), **faults}
    return behaved(bench.children.run(job, bench.limit(chosen)))


def _without_rights(bench: Bench, name: str, folder: Path, moment: dict[str, object]) -> Verdict:
    """Run a target as a user who may not write any more from a moment on."""
    if os.geteuid() != 0:
        bench.skipped.append("only root can become another user")
        return []
    chosen = target(name)
    before = bench.prepare(chosen, folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    shown = {"HOME": str(folder), "MPLCONFIGDIR": str(folder / "none")}
    lost = (
        str(folder / chosen.run) if chosen.run and (folder / chosen.run).is_dir() else str(folder)
    )
    faults = {"uid": NOBODY, "env": shown, "plan": {**moment, "chmod": lost}}
    job = {**chosen.job(bench.fixture, folder), **faults}
    verdict = behaved(bench.children.run(job, bench.limit(chosen)))
    Path(lost).chmod(0o755) if Path(lost).exists() else None
    return verdict + left(bench, chosen, folder, before, {}, failed=False)


@contextmanager
def mounted(place: Path) -> Iterator[Path | None]:
    """A small disk of its own, or None where none can be mounted."""
    place.mkdir(parents=True)
    if os.geteuid() != 0 or not _mount(place, "-t", "tmpfs", "-o", f"size={MEGABYTES}m"):
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(ballast: Path, room: int) -> None:
    """Fill a disk until only so many bytes are free."""
    free = shutil.disk_usage(ballast.parent).free
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - room))


def _mount(place: Path, *words: str) -> bool:
    """Mount a disk, or mount it in another way; whether that went well."""
    command = ["mount", *words, "tmpfs", str(place)]
    if "remount" in words[-1]:
        command = ["mount", *words, str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
