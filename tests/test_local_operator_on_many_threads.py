"""Threads of Python may use the compiled local operator at once, whoever runs its kernels."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch
from functions import values
from local_operators import Case, backends, outcome, threads
from torch.testing import assert_close

from inftydiff.operators.local import reference, team

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
        monkeypatch.setattr(team, "_openmp", lambda: None)
    elif team.threading_layer() != runner:
        pytest.skip("torch has no OpenMP of GNU's here")
    assert team.threading_layer() == runner


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


@numba
@pytest.mark.parametrize("name", CASES)
def test_whoever_runs_them_the_bits_are_the_same(name, backend, monkeypatch):
    case = CASES[name]
    with threads(2):
        team_s = outcome(case.map_by(backend), case.values, case.weight)
        monkeypatch.setattr(team, "_openmp", lambda: None)
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

    from inftydiff.operators.local import numba_kernels, numba_pairs

    numba_kernels._sum_task.cache_clear()
    numba_kernels._gradients_task.cache_clear()
    numba_pairs._count_task.cache_clear()
    numba_pairs._list_task.cache_clear()
    with ThreadPoolExecutor(2) as pool:
        for result in pool.map(one, range(2)):
            assert all(map(torch.equal, result, expected))
