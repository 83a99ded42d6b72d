"""The server of processes under test: it imports all that is slow once, and forks.

``python robustness/faults_child.py`` reads a request a line from standard input, as JSON, and
answers each by a line. ``{"inline": job}`` does a job in the server itself, which compiles and
loads what the others then have; ``{"start": job}`` forks; ``{"wait": pid, …}`` waits for the end.

A job has the words of a command (``argv``) or the name of a function of ``faults_calls``
(``call``, ``args``), and what is to go wrong: a ``plan`` of ``faults_hooks``, the largest size of a
file (``fsize``; ``deadly`` if passing it kills), how many files can be open (``nofile``), a user
(``uid``).
"""

import contextlib
import fcntl
import io
import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from typing import Any, TextIO, final

import faults_calls
import faults_hooks

__all__ = ["Server"]

PIPE = 1 << 20
F_SETPIPE_SZ = 1031
DOCUMENTED = (ValueError, TypeError, OSError, FloatingPointError, ModuleNotFoundError)


@final
class Server:
    """Forks processes, and waits for them."""

    def __init__(self) -> None:
        self.pipes: dict[int, tuple[int, int]] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks."""
        if "inline" in request:
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                code = work(request["inline"])
            return {"code": code, "err": said.getvalue()}
        if "start" in request:
            return {"pid": self.start(request["start"])}
        return self.wait(**request["wait"])

    def start(self, job: dict[str, Any]) -> int:
        """Fork a process for a job, and return when it begins."""
        out, err = os.pipe(), os.pipe()
        ready = os.pipe()
        for end in (out[1], err[1]):
            with contextlib.suppress(OSError):
                fcntl.fcntl(end, F_SETPIPE_SZ, PIPE)
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.dup2(out[1], 1)
            os.dup2(err[1], 2)
            for end in (*out, *err, ready[0], *(e for pair in self.pipes.values() for e in pair)):
                os.close(end)
            _child(job, ready[1])
        for end in (out[1], err[1], ready[1]):
            os.close(end)
        os.read(ready[0], 1)
        os.close(ready[0])
        self.pipes[pid] = out[0], err[0]
        return pid

    def wait(
        self, pid: int, limit: float, number: int | None = None, after: float = 0.0
    ) -> dict[str, Any]:
        """Wait for a process, and send it a signal in between; what hangs is killed."""
        began = time.monotonic()
        text = [bytearray(), bytearray()]
        hung, sent, status = False, number is None, None
        while status is None:
            passed = time.monotonic() - began
            if not sent and passed >= after:
                os.kill(pid, number)  # type: ignore[arg-type]
                sent = True
            if passed > limit and not hung:
                hung = True
                os.killpg(pid, signal.SIGKILL)
            _read(self.pipes[pid], text, 0.005)
            found, raw = os.waitpid(pid, os.WNOHANG)
            status = raw if found else None
        seconds = time.monotonic() - began
        ends = self.pipes.pop(pid)
        _read(ends, text, 0.0)
        for end in ends:
            os.close(end)
        orphans = _others(pid, 10.0)
        out, err = (part.decode(errors="replace") for part in text)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "out": out,
            "err": err,
            "hung": hung,
            "seconds": seconds,
            "orphans": orphans,
        }


def work(job: dict[str, Any]) -> int:
    """Do a job in this process, and return the exit status."""
    if "argv" in job:
        from inftydiff.cli import main

        return main(job["argv"])
    try:
        getattr(faults_calls, job["call"])(**job["args"])
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 128 + signal.SIGINT
    except DOCUMENTED as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def _child(job: dict[str, Any], ready: int) -> None:
    """Do a job in a forked process, and end it as the interpreter would."""
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    os.environ |= job.get("env", {})
    os.chdir(job["cwd"])
    _limit(job)
    hook = faults_hooks.install(job["plan"]) if "plan" in job else None
    code = 1
    try:
        os.write(ready, b".")
        os.close(ready)
        code = work(job)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and not _within(error):
            code = 128 + signal.SIGINT  # before the command or after it
        else:
            traceback.print_exc()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if hook is not None and "counts" in job:
        hook.busy = True
        with open(job["counts"], "w", encoding="utf-8") as file:
            json.dump(hook.counts, file)
    os._exit(code)


def _limit(job: dict[str, Any]) -> None:
    """Take from this process what the job says it lacks."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if job.get("deadly"):
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    if "fsize" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["fsize"], job["fsize"]))
    if "nofile" in job:
        used = len(os.listdir("/proc/self/fd")) - 1
        most = used + job["nofile"]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if "uid" in job:
        os.setgroups([])
        os.setresgid(job["uid"], job["uid"], job["uid"])
        os.setresuid(job["uid"], job["uid"], job["uid"])


def _within(error: BaseException) -> bool:
    """Say whether an error arose in a command or a function of the package."""
    ours = (_child.__code__, work.__code__)
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code not in ours:
            return True
        trace = trace.tb_next
    return False


def _read(ends: tuple[int, int], text: list[bytearray], seconds: float) -> None:
    """Read what has been printed."""
    for end in select.select(ends, [], [], seconds)[0]:
        part = os.read(end, PIPE)
        text[ends.index(end)] += part
        if not part and seconds:
            time.sleep(seconds)


def _others(group: int, limit: float) -> bool:
    """Say whether processes that a dead one started go on for longer than so many seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    return True


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more."""
    server = Server()
    for line in requests:
        print(json.dumps(server.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    protocol = os.fdopen(os.dup(1), "w", encoding="utf-8")
    asked = os.fdopen(os.dup(0), encoding="utf-8")
    silent = os.open(os.devnull, os.O_RDWR)
    for taken in (0, 1):
        os.dup2(silent, taken)
    faults_calls.prepare()
    serve(asked, protocol)
