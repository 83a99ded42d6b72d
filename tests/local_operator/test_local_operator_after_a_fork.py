"""A process that is forked from one that has used the compiled local operator may use it too."""

import multiprocessing as mp
from collections.abc import Callable
from ctypes import CFUNCTYPE, c_void_p, cast
from threading import Barrier
from threading import enumerate as enumerate_threads
from typing import Any

import pytest
import torch
from local_operators import Case, backends, outcome, threads, truth
from torch.testing import assert_close

from inftydiff.operators.local import _thread_pool as thread_pool

CASE = Case((24, 24), (1, 1), 3, 4, (2,), 300, 2, 0)

pytestmark = [
    pytest.mark.skipif("fork" not in mp.get_all_start_methods(), reason="there is no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def forked(compute: Callable[[], Any]) -> Any:
    """What a child computes; it must not be a tensor."""
    context = mp.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=lambda: there.send(compute()))
    process.start()
    there.close()
    try:
        assert here.poll(60), "the child does not answer"
        return here.recv()
    finally:
        process.kill()
        process.join()


@backends("torch", "numba")
@pytest.mark.parametrize("used", [1, 2])
def test_on_one_thread(used, backend):
    def compute() -> list[list[Any]]:
        torch.set_num_threads(1)
        return [x.tolist() for x in outcome(CASE.map_by(backend), CASE.values, CASE.weight)]

    with threads(used):
        before = outcome(CASE.map_by(backend), CASE.values, CASE.weight)
        after = [torch.tensor(x, dtype=torch.float64) for x in forked(compute)]
    for result, same, expected in zip(after, before, truth(CASE), strict=True):
        assert torch.equal(result, same)
        assert_close(result, expected, rtol=0, atol=1e-11)


def test_python_s_threads_are_the_child_s_own(monkeypatch):
    monkeypatch.setattr(thread_pool, "_openmp", lambda: None)
    met = Barrier(2)
    task = CFUNCTYPE(None, c_void_p)(lambda data: met.wait(30) and None)
    address = cast(task, c_void_p).value

    def compute() -> list[str]:
        thread_pool.run(address, 0)
        return sorted(thread.name for thread in enumerate_threads())

    with threads(2):
        parents = [name for name in compute() if name.startswith("inftydiff")]
        children = [name for name in forked(compute) if name.startswith("inftydiff")]
    assert parents
    assert children
    assert not set(parents) & set(children)
