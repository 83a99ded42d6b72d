"""Faults from within: a process that kills itself, or fails, at the n-th thing it does to files.

Python tells an audit hook of every file that it opens, renames or removes, before it does so. The
hook counts them by kind, and at a planned one it acts: a signal to itself, an error of the system,
damage to another file, or a pause. Flushes, and weights that safetensors writes beside Python, are
told of by functions in the place of those that do it.

A plan is a record: ``event`` and ``nth`` say when, ``under`` in which folder, and one of
``signal``, ``errno``, ``damage``, ``remove``, ``chmod`` and ``pause`` what. This file is read by
the processes under test, and imports nothing of the package.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, final

__all__ = ["EVENTS", "Hook", "damage", "install"]

EVENTS = ("create", "rename", "remove", "mkdir", "mode", "fsync", "weights")
"""The kinds of what is done to files; also "read" and "import", which are counted apart."""

KINDS = {
    "os.rename": "rename",
    "os.remove": "remove",
    "os.rmdir": "remove",
    "os.mkdir": "mkdir",
    "os.chmod": "mode",
    "os.truncate": "mode",
    "os.link": "create",
    "os.symlink": "create",
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
PAUSE_LIMIT = 60.0


@final
class Hook:
    """Counts what is done to the files of a folder, and acts at one of these moments.

    Args:
        plan: the record; without an ``event``, it only counts.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.under = os.fspath(plan.get("under", "/"))
        self.counts: Counter[str] = Counter()
        self.busy = False
        self.importing = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Take note of an audit event."""
        if self.busy:
            return
        if event == "import":
            self.importing = self.importing or str(args[0]).split(".")[0] == "inftydiff"
            if self.importing:
                self.note("import")
        elif event == "open":
            path, _, flags = args
            if self.concerns(path):
                self.note("create" if flags & WRITING else "read", path, flags)
        elif event in KINDS and self.concerns(args[0], *args[-1:]):
            self.note(KINDS[event], args[0])

    def concerns(self, path: object, dir_fd: object = -1) -> bool:
        """Say whether a path lies in the folder; one that is relative to an open folder does."""
        if isinstance(path, int) or path is None:
            return False
        if isinstance(dir_fd, int) and dir_fd >= 0:
            return True
        return os.path.abspath(os.fsdecode(path)).startswith(self.under)  # type: ignore[arg-type]

    def note(self, kind: str, path: object = None, flags: int = 0) -> None:
        """Count an event, and act if it is the planned one."""
        self.counts[kind] += 1
        if kind in EVENTS:
            self.counts["any"] += 1
        planned = self.plan.get("event")
        if planned != kind and not (planned == "any" and kind in EVENTS):
            return
        if self.counts[planned] != self.plan["nth"]:
            return
        self.busy = True
        try:
            self.act(path, flags)
        finally:
            self.busy = False

    def act(self, path: object, flags: int) -> None:
        """Do what is planned."""
        plan = self.plan
        if plan.get("opened") and flags & os.O_TRUNC:
            with contextlib.suppress(OSError):  # a folder, if a temporary file has no name
                os.close(os.open(path, flags, 0o666))  # type: ignore[arg-type]
        if "damage" in plan:
            for file in plan["files"]:
                damage(file, plan["damage"])
        if "remove" in plan:
            shutil.rmtree(plan["remove"], ignore_errors=True)
        if "chmod" in plan:
            os.chmod(plan["chmod"], 0o500)
        if "pause" in plan:
            _pause(plan["pause"])
        if "signal" in plan:
            os.kill(os.getpid(), plan["signal"])
        if "errno" in plan:
            raise OSError(plan["errno"], os.strerror(plan["errno"]), path)


def install(plan: dict[str, Any]) -> Hook:
    """Hook a plan into this process, for good."""
    hook = Hook(plan)
    os.fsync = _told(os.fsync, hook, "fsync")
    if "safetensors.torch" in sys.modules:
        module = sys.modules["safetensors.torch"]
        module.serialize_file = _told(module.serialize_file, hook, "weights")  # type: ignore[attr-defined]
    sys.addaudithook(hook)
    return hook


def damage(file: str, how: str) -> None:
    """Damage a file as a failing disk or another program does.

    Args:
        file: the file, or a folder for "remove".
        how: "empty", "half", "tail" (the last byte is missing), "garble" (32 bytes in the middle
            are others), "text" (no JSON, no UTF-8) or "remove".
    """
    if how == "remove":
        shutil.rmtree(file) if os.path.isdir(file) else os.remove(file)
        return
    size = os.path.getsize(file)
    if how in ("empty", "half", "tail"):
        os.truncate(file, {"empty": 0, "half": size // 2, "tail": max(0, size - 1)}[how])
        return
    with open(file, "r+b") as opened:
        opened.seek(0 if how == "text" else size // 2)
        opened.write(b"\xff\xfe{[\x00" * 2 if how == "text" else b"\xa5\x5a" * 16)


def _pause(flag: str) -> None:
    """Leave a file as a sign, and wait until it is taken away."""
    with open(flag, "w", encoding="utf-8"):
        pass
    end = time.monotonic() + PAUSE_LIMIT
    while os.path.exists(flag) and time.monotonic() < end:
        time.sleep(0.01)


def _told(call: Callable[..., Any], hook: Hook, kind: str) -> Callable[..., Any]:
    """The function, of which the hook is told before each call."""

    def told(*args: Any, **kwargs: Any) -> Any:
        if not hook.busy:
            hook.note(kind)
        return call(*args, **kwargs)

    return told


def from_environment() -> None:
    """Hook in the plan of the environment, which only sends signals; for processes of their own."""
    import atexit
    import json

    plan = json.loads(os.environ["INFTYDIFF_FAULT"])
    hook = install(plan)
    if "counts" in plan:
        atexit.register(_write_counts, plan["counts"], hook)


def _write_counts(file: str, hook: Hook) -> None:
    import json

    hook.busy = True
    with open(file, "w", encoding="utf-8") as opened:
        json.dump(hook.counts, opened)


if __name__ == "sitecustomize":  # as which it is copied before processes of their own
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from_environment()
