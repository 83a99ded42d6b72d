"""Threads for numba's kernels: those of torch's own operations.

Torch's OpenMP keeps a team of threads that wait for the next operation in a loop. Threads of
another kind would have to fight them for the processor, so a kernel is run by the same team, where
there is one, and by Python's threads elsewhere.

A task is the address of a C function of one pointer. Each thread calls it with the same data, from
which the threads draw pieces of work by a shared counter until none is left. Which thread does
which piece is not fixed; what a piece computes is.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import torch

__all__ = ["run", "threading_layer"]

_TASK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run(task: int, data: int) -> None:
    """Call a task on as many threads as torch uses for its own operations.

    Args:
        task: the address of a C function ``void task(void *data)`` that does not raise.
        data: the address of its data.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        _TASK(task)(data)
        return
    parallel = _openmp()
    if parallel is not None:
        parallel(task, data, threads, 0)
        return
    others = [_pool(os.getpid(), threads - 1).submit(_TASK(task), data) for _ in range(threads - 1)]
    _TASK(task)(data)
    for other in others:
        other.result()


def threading_layer() -> str:
    """What runs the kernels: ``"OpenMP"`` or ``"Python"``."""
    return "Python" if _openmp() is None else "OpenMP"


@cache
def _openmp() -> Callable[[int, int, int, int], None] | None:
    """The entry of the OpenMP that torch has loaded, if it is GNU's and can be found."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return None
    for path in _libraries(maps.read_text(), Path(torch.__file__).parent):
        try:
            parallel = ctypes.CDLL(path).GOMP_parallel
        except (OSError, AttributeError):
            continue
        parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        parallel.restype = None
        return parallel
    return None


def _libraries(maps: str, home: Path) -> list[str]:
    """The OpenMP libraries of GNU's that a process has loaded, torch's own first.

    Those that other Python packages bring, for their own threads, come after the system's.

    Args:
        maps: what ``/proc/self/maps`` says: five words a line, and a path, which may have spaces.
        home: the directory of torch's package.
    """
    lines = (line.split(maxsplit=5) for line in maps.splitlines())
    loaded = {line[5] for line in lines if len(line) > 5 and "libgomp" in Path(line[5]).name}
    own = home / "lib", home.parent / "torch.libs"

    def rank(path: str) -> tuple[bool, bool, str]:
        beside = Path(path).is_relative_to(home.parent)
        return not any(Path(path).is_relative_to(place) for place in own), beside, path

    return sorted(loaded, key=rank)


@cache
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """The threads of a process: after a fork there are none, and the child asks for its own."""
    return ThreadPoolExecutor(threads, thread_name_prefix=f"inftydiff-{process}")
