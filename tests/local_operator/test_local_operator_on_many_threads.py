"""Threads of Python may use the local operator at once, on every backend, whoever runs its kernels.

They may share a map, and what is made of it when it is first used.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
import torch
from functions import values
from local_operators import Case, backends, outcome, threads
from torch.testing import assert_close

from inftydiff.operators.local import _thread_pool as thread_pool
from inftydiff.operators.local import reference

CASES = {
    "subsets": Case((24, 24), (1, 1), 3, 17, (2,), 300, 2, 0),
    "points": Case((24, 24), (1, 1), 3, 17, (), 300, None, 1, None, True),
}
numba = backends("numba")
counts = pytest.mark.parametrize("count", [1, 2])
runners = pytest.mark.parametrize("runner", ["OpenMP", "Python"])


@pytest.fixture
def _run_by(runner, monkeypatch):
    """Have kernels run by OpenMP's team, or by Python's threads as where there is none."""
    if runner == "Python":
        monkeypatch.setattr(thread_pool, "_openmp", lambda: None)
    elif thread_pool.threading_layer() != runner:
        pytest.skip("torch has no OpenMP of GNU's here")
    assert thread_pool.threading_layer() == runner


def everything(case: Case) -> list[list[torch.Tensor]]:
    """What eight threads get that begin together, each with values of its own."""
    together = Barrier(8)

    def one(number: int) -> list[torch.Tensor]:
        v = values(number, *case.values.shape)
        together.wait()
        results = [outcome(case.map_by("numba"), v, case.weight) for _ in range(3)]
        assert all(map(torch.equal, results[0] * 2, results[1] + results[2]))
        return results[0]

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


@pytest.mark.thorough
@numba
@runners
@counts
@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("_run_by")
def test_eight_at_once(name, count, runner, backend):
    case = CASES[name]
    with threads(count):
        results = everything(case)
    for number, (image, *gradients) in enumerate(results):
        v = values(number, *case.values.shape)
        expected = reference(v, case.weight, case.on.points, case.on.weights, case.cell)
        assert_close(image, expected, rtol=0, atol=1e-12)
        alone = outcome(case.map_by(backend), v, case.weight)
        assert all(map(torch.equal, (image, *gradients), alone))


SHARED = {
    "subsets": Case((24, 24), (1, 1), 3, 17, (2,), 300, 2, 2),
    "a refined subset": Case((24, 24), (2, 3), 3, 5, (2,), 300, None, 3),
    "mixed channels": Case((24, 24), (1, 1), 3, 5, (2,), 300, 2, 4, 3),
}


@pytest.mark.thorough
@backends("reference", "dense", "torch", "numba")
@counts
@pytest.mark.parametrize("name", SHARED)
def test_eight_at_once_with_one_map(name, count, backend):
    case = SHARED[name]
    near, together = case.map_by(backend), Barrier(8)

    def one(number: int) -> list[torch.Tensor]:
        v = values(number, *case.values.shape)
        together.wait()
        return outcome(near, v, case.weight)

    with threads(count), ThreadPoolExecutor(8) as pool:
        results = list(pool.map(one, range(8)))
    alone = case.map_by(backend)
    for number, result in enumerate(results):
        expected = outcome(alone, values(number, *case.values.shape), case.weight)
        assert_close(result, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("made", ["row", "by_row", "by_tap", "by_segment"])
def test_what_is_made_of_a_map_is_the_same_for_all(made):
    pairs, together = replace(SHARED["subsets"].map_by("torch").form.pairs), Barrier(8)
    assert made not in vars(pairs)

    def one(_: int) -> object:
        together.wait()
        return getattr(pairs, made)

    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(one, range(8))
    assert_close(others, [first] * 7, rtol=0, atol=0)


@numba
@pytest.mark.parametrize("name", CASES)
def test_whoever_runs_them_the_bits_are_the_same(name, backend, monkeypatch):
    case = CASES[name]
    with threads(2):
        team_s = outcome(case.map_by(backend), case.values, case.weight)
        monkeypatch.setattr(thread_pool, "_openmp", lambda: None)
        python_s = outcome(case.map_by(backend), case.values, case.weight)
    assert all(map(torch.equal, team_s, python_s))


@numba
def test_two_that_compile_at_once(backend):
    case = CASES["subsets"]
    expected = outcome(case.map_by(backend), case.values, case.weight)
    together = Barrier(2)

    def one(_: int) -> list[torch.Tensor]:
        together.wait()
        return outcome(case.map_by(backend), case.values, case.weight)

    from inftydiff.operators.local import _numba_kernels as numba_kernels
    from inftydiff.operators.local import _numba_pairs as numba_pairs

    numba_kernels._sum_task.cache_clear()
    numba_kernels._gradients_task.cache_clear()
    numba_pairs._count_task.cache_clear()
    numba_pairs._list_task.cache_clear()
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(one, range(2)):
            assert all(map(torch.equal, result, expected))
