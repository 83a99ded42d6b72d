"""Who names no backend gets the fastest one that there is for the points, and the same answer."""

import sys

import pytest
import torch
from functions import scattered, subset
from hypothesis import given
from local_operators import box_grid, cases, coarse, outcome, whole
from torch.testing import assert_close

from inftydiff.operators.local import backend as backends
from inftydiff.operators.local import neighbours
from inftydiff.operators.local.backend import automatic_backend, automatic_pairs

GRID = box_grid(12, 10)
PLACES = {
    "grid": GRID,
    "dense": subset(GRID, 80, 0),
    "sparse": subset(GRID, 6, 0),
    "samples": subset(GRID, 30, 0, 2),
    "points": scattered(GRID.domain, 9, 0),
}
WITH = {
    "cpu": dict.fromkeys(PLACES, "numba") | {"grid": "dense"},
    "cuda": dict.fromkeys(PLACES, "triton") | {"grid": "dense"},
}
WITHOUT = dict.fromkeys(PLACES, "dense") | {"sparse": "torch", "points": "torch"}


@pytest.fixture
def _install(libraries, monkeypatch):
    """Have these libraries, and no other that a backend stands on."""
    found = {"reference": "torch", "dense": "torch", "torch": "torch"}
    found |= {name: name for name in libraries.split()}
    monkeypatch.setattr(backends, "installed_backends", lambda: found)


@pytest.mark.usefixtures("_install")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("libraries", ["numba triton", ""])
@pytest.mark.parametrize("name", PLACES)
def test_the_choice(name, libraries, device):
    expected = WITH[device] if libraries else WITHOUT
    where = torch.device(device)
    assert automatic_backend(PLACES[name], where, refined=False) == expected[name]
    pairs = {"cpu": "numba", "cuda": "triton"}[device] if libraries else "torch"
    assert automatic_pairs(where) == pairs


@pytest.mark.usefixtures("_install")
@pytest.mark.parametrize("libraries", ["numba triton", ""])
@pytest.mark.parametrize("name", ["grid", "dense", "sparse", "samples"])
def test_a_refined_lattice_is_convolved(name, libraries):
    near = neighbours(PLACES[name], size=3, cell=tuple(2 * h for h in GRID.spacing))
    assert near.backend == "dense"
    assert automatic_backend(PLACES[name], torch.device("cpu"), refined=True) == "dense"


@pytest.mark.usefixtures("_install")
@pytest.mark.parametrize("libraries", ["", "triton"])
@pytest.mark.parametrize("name", PLACES)
def test_without_numba(name, libraries):
    near = neighbours(PLACES[name], size=3, cell=GRID.spacing)
    assert near.backend == WITHOUT[name]


@pytest.mark.parametrize("libraries", [""])
@pytest.mark.usefixtures("_install")
def test_a_ragged_batch_without_numba(libraries):
    samples = [PLACES["dense"], PLACES["sparse"]]
    assert neighbours(samples, size=3, cell=GRID.spacing).backend == "torch"


def test_a_library_that_is_not_found_is_not_installed(monkeypatch):
    for library in ("numba", "triton", "torchsparse"):
        monkeypatch.setitem(sys.modules, library, None)
    backends.installed_backends.cache_clear()
    try:
        assert list(backends.installed_backends()) == ["reference", "dense", "torch"]
        assert neighbours(PLACES["points"], size=3, cell=0.1).backend == "torch"
    finally:
        backends.installed_backends.cache_clear()


@given(case=cases(whole | coarse, "grid one many points clouds"))
def test_the_answer_is_the_same_without(case):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backends, "installed_backends", lambda: dict.fromkeys(["dense", "torch"], ""))
        without = neighbours(case.on, size=case.size, cell=case.cell)
    assert without.backend in ("dense", "torch")
    expected = outcome(
        neighbours(case.on, size=case.size, cell=case.cell), case.values, case.weight
    )
    for result, other in zip(outcome(without, case.values, case.weight), expected, strict=True):
        assert_close(result, other, rtol=0, atol=1e-11)
