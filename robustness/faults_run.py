"""Processes under test, from the outside: forked by a server, or new ones of their own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

__all__ = ["Children", "Outcome"]

HERE = Path(__file__).parent


@final
@dataclass(frozen=True)
class Outcome:
    """The end of a process.

    Args:
        code: the exit status, or minus the signal that it died of.
        out: what it printed.
        err: what it printed as errors.
        hung: it was killed, as it went on for longer than it might.
        seconds: how long it took.
        orphans: processes that it started went on after its end.
    """

    code: int
    out: str
    err: str
    hung: bool
    seconds: float
    orphans: bool = False


@final
class Children:
    """Starts processes that use the package of a tree.

    Args:
        tree: the folder with the package ``inftydiff``.
        scratch: a folder for caches, and the working folder of the processes.
    """

    def __init__(self, tree: Path, scratch: Path) -> None:
        self.scratch = scratch
        for name in ("home", "site"):
            (scratch / name).mkdir()
        home = str(scratch / "home")
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("INFTYDIFF_", "PYTHON"))
        } | {
            "PYTHONPATH": str(tree),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "NUMBA_NUM_THREADS": "1",
            "HOME": home,
            "XDG_CACHE_HOME": home,
            "NUMBA_CACHE_DIR": str(scratch / "home" / "numba"),
            "MPLCONFIGDIR": home,
            "MPLBACKEND": "Agg",
            "HF_HUB_OFFLINE": "1",
            "JAXTYPING_DISABLE": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "COLUMNS": "100",
        }
        self.server = subprocess.Popen(
            [sys.executable, str(HERE / "faults_child.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.environment,
            cwd=scratch,
        )

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send the server a request, and return its answer."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        print(json.dumps(request), file=self.server.stdin, flush=True)
        line = self.server.stdout.readline()
        if not line:
            raise RuntimeError("The server of processes has died; see what it printed above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def inline(self, job: Mapping[str, Any]) -> None:
        """Do a job in the server, so that what it compiles and imports is there for all."""
        answer = self.ask({"inline": job})
        if answer["code"] != 0:
            raise RuntimeError(f"Without any fault this fails: {job}\n{answer['err']}")

    def start(self, job: Mapping[str, Any]) -> int:
        """Fork a process, and return its number."""
        pid: int = self.ask({"start": {"cwd": str(self.scratch), **job}})["pid"]
        return pid

    def wait(
        self, pid: int, limit: float, number: int | None = None, after: float = 0.0
    ) -> Outcome:
        """Wait for a forked process, with a signal after so many seconds if one is given."""
        asked = {"pid": pid, "limit": limit, "number": number, "after": after}
        return Outcome(**self.ask({"wait": asked}))

    def run(self, job: Mapping[str, Any], limit: float, **sent: Any) -> Outcome:
        """Fork a process, and wait for its end."""
        return self.wait(self.start(job), limit, **sent)

    def fresh(
        self,
        words: Sequence[str],
        limit: float,
        *,
        plan: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        shell: str | None = None,
    ) -> Outcome:
        """Start a new process, ``python -m inftydiff.cli WORDS``, and wait for its end.

        Args:
            words: the words of the command.
            limit: seconds after which it hangs.
            plan: what is to go wrong, a signal.
            environment: what is other in its environment.
            shell: redirections, where "$@" stands for the command.
        """
        env = self.environment | dict(environment or {})
        if plan is not None:
            site = self.scratch / "site" / "sitecustomize.py"
            if not site.exists():
                site.write_bytes((HERE / "faults_hooks.py").read_bytes())
            env["PYTHONPATH"] = os.pathsep.join([str(site.parent), env["PYTHONPATH"]])
            env["INFTYDIFF_FAULT"] = json.dumps(plan)
        command = [sys.executable, "-m", "inftydiff.cli", *words]
        if shell is not None:
            command = ["sh", "-c", shell, "sh", *command]
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=env,
            cwd=self.scratch,
            start_new_session=True,
        )
        hung = False
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            hung = True
            os.killpg(process.pid, 9)
            out, err = process.communicate()
        return Outcome(process.returncode, out, err, hung, time.monotonic() - began)

    def close(self) -> None:
        """End the server."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.stdout.close()
        try:
            self.server.wait(10)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
