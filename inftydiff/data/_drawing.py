"""Blocks of avatars drawn by several processes.

The renderer holds Python's lock, so that threads of one process would wait for each other. The
processes are new ones, which import this package and nothing of the caller's: a script needs no
guard, and a notebook, ``python -c`` and standard input serve as well. Each is asked for one block
at a time on its standard input, keeps it in the cache, and answers with its pictures. It ends when
its input does, and so with the process that asks.
"""

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from typing import final

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from inftydiff.data._blocks import Block

__all__ = ["draw_all", "serve"]

PROGRAM = """\
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = sys.argv[1:]
from inftydiff.data._drawing import serve
serve()
"""
"""The program of a process: modules are found where the caller finds them."""


def draw_all(blocks: Sequence[Block], workers: int) -> Iterator[UInt8[ndarray, "n 3 h w"]]:
    """Draw blocks and yield their pictures, in the order of the blocks.

    Args:
        blocks: what to draw.
        workers: processes that draw; one means this process.

    Raises:
        ChildProcessError: if a process does not start, is killed, or fails.
    """
    if workers == 1 or not sys.executable:
        yield from map(Block.draw, blocks)
        return
    drawers: list[_Drawer] = []
    free: SimpleQueue[_Drawer] = SimpleQueue()

    def draw(block: Block) -> UInt8[ndarray, "n 3 h w"]:
        drawer = free.get()
        try:
            return drawer.draw(block)
        finally:
            free.put(drawer)

    try:
        for _ in range(workers):
            drawers.append(_Drawer())
            free.put(drawers[-1])
        with ThreadPoolExecutor(workers) as threads:
            try:
                yield from threads.map(draw, blocks)
            finally:
                threads.shutdown(wait=False, cancel_futures=True)
                for drawer in drawers:
                    drawer.process.kill()
    finally:
        for drawer in drawers:
            drawer.close()


@final
class _Drawer:
    """A process that draws one block after another.

    It is in a session of its own, so that Ctrl-C in a terminal reaches the caller alone.

    Raises:
        ChildProcessError: if it cannot be started.
    """

    def __init__(self) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the process
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.said,
                start_new_session=True,
            )
        except OSError as error:
            self.said.close()
            raise ChildProcessError(
                f"A process that draws pictures could not be started: {error}. Pass workers=1."
            ) from error

    def draw(self, block: Block) -> UInt8[ndarray, "n 3 h w"]:
        """The pictures of a block.

        Raises:
            ChildProcessError: if the process does not start, is killed, or fails.
        """
        asked, answers = self.process.stdin, self.process.stdout
        assert asked is not None
        assert answers is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, and gives no answer
            asked.write(json.dumps(asdict(block) | {"folder": str(block.folder)}).encode() + b"\n")
            asked.flush()
        answer = answers.readline().decode(errors="replace")
        content = answers.read(math.prod(block.shape)) if answer == DONE else b""
        if len(content) < math.prod(block.shape):
            last = block.start + len(block) - 1
            raise ChildProcessError(
                f"Seeds {block.start} to {last} of {block.style} could not be drawn: "
                f"{answer.strip() or self._end()}. What was drawn before is kept; call again, or "
                "pass workers=1."
            )
        return np.frombuffer(content, dtype=np.uint8).reshape(block.shape)

    def close(self) -> None:
        """End the process and forget it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.said):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def _end(self) -> str:
        """Return in words how the process ended."""
        code = self.process.wait()
        if code < 0:
            return f"a process was killed by signal {-code}"
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").strip().splitlines()
        return f"a process ended by itself, saying {lines[-1] if lines else 'nothing'!r}"


DONE = "drawn\n"


def serve() -> None:
    """Draw the blocks that are asked for on standard input, until it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        for request in sys.stdin.buffer:
            fields = json.loads(request)
            block = Block(**fields | {"folder": Path(fields["folder"])})
            try:
                pixels = block.draw()
            except Exception as error:
                answers.write(f"{type(error).__name__}: {' '.join(str(error).split())}\n".encode())
            else:
                answers.write(DONE.encode() + pixels.tobytes())
            answers.flush()
    except BrokenPipeError:  # who asked has gone
        os._exit(0)
