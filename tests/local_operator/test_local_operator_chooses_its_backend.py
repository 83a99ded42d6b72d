"""Who names no backend gets the fastest one that there is for the points, and the same answer."""

import sys
from functools import cache

import pytest
import torch
from functions import scattered, subset
from hypothesis import given
from local_operators import box_grid, cases, coarse, outcome, whole
from torch.testing import assert_close

from inftydiff.operators.local import backend as backends
from inftydiff.operators.local import neighbours
from inftydiff.operators.local._pairs import PairsForm
from inftydiff.operators.local.backend import automatic_backend, automatic_pairs, importable

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
    monkeypatch.setattr(backends, "importable", lambda backend: True)


@pytest.mark.usefixtures("_install")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("libraries", ["numba triton", ""])
@pytest.mark.parametrize("name", PLACES)
def test_the_choice(name, libraries, device):
    expected = WITH[device] if libraries else WITHOUT
    where = torch.device(device)
    choice = automatic_backend(PLACES[name], where, size=3, cell=GRID.spacing)
    assert choice == expected[name]
    pairs = {"cpu": "numba", "cuda": "triton"}[device] if libraries else "torch"
    assert automatic_pairs(where) == pairs


WIDE = box_grid(96, 80)
BY_FOUR = tuple(4 * h for h in WIDE.spacing)
MANY, FEW = subset(WIDE, WIDE.size // 3, 0, 2), subset(WIDE, WIDE.size // 6, 0, 2)
RARE = subset(WIDE, 50, 0)


@pytest.mark.usefixtures("_install")
@pytest.mark.parametrize(
    ("libraries", "on", "expected"),
    [
        ("numba", WIDE, "dense"),
        ("numba", MANY, "dense"),
        ("numba", FEW, "numba"),
        ("numba", RARE, "numba"),
        ("", MANY, "dense"),
        ("", FEW, "dense"),
        ("", RARE, "torch"),
    ],
)
def test_many_points_of_a_refined_grid_are_convolved_and_few_are_not(libraries, on, expected):
    near = neighbours(on, size=3, cell=BY_FOUR)
    assert near.backend == expected
    if isinstance(near.form, PairsForm):
        work = len(near.form.pairs.column) * (1 if expected == "numba" else backends.SLOW)
        samples = on.index.numel() // on.size
        assert work <= samples * WIDE.size * (3**2 + 2 * 7)


@pytest.mark.usefixtures("_install")
@pytest.mark.parametrize("libraries", ["numba", ""])
@pytest.mark.parametrize("count", [1, 3])
def test_a_ragged_batch_is_chosen_for_as_a_whole(libraries, count):
    many = [subset(WIDE, WIDE.size // 2, seed) for seed in range(count)]
    near = neighbours([RARE, *many], size=3, cell=BY_FOUR)
    assert near.backend == "dense"
    rare = [subset(WIDE, 40 + seed, seed) for seed in range(count)]
    near = neighbours([*rare, RARE], size=3, cell=BY_FOUR)
    assert near.backend == (libraries or "torch")
    anywhere = [scattered(WIDE.domain, 9, seed) for seed in range(count)]
    assert neighbours(anywhere, size=3, cell=BY_FOUR).backend == (libraries or "torch")


@pytest.mark.usefixtures("_install")
@pytest.mark.parametrize("libraries", ["numba"])
def test_more_pairs_than_can_be_counted_are_convolved(libraries, monkeypatch):
    monkeypatch.setattr(backends, "MOST", 1000)
    assert neighbours(FEW, size=3, cell=BY_FOUR).backend == "dense"
    assert neighbours(RARE, size=3, cell=WIDE.spacing).backend == "numba"


@pytest.mark.usefixtures("_install")
@pytest.mark.parametrize("libraries", ["", "triton"])
@pytest.mark.parametrize("name", PLACES)
def test_without_numba(name, libraries):
    near = neighbours(PLACES[name], size=3, cell=GRID.spacing)
    assert near.backend == WITHOUT[name]


@pytest.mark.parametrize("libraries", [""])
@pytest.mark.usefixtures("_install")
def test_a_ragged_batch_without_numba(libraries):
    for name, backend in WITHOUT.items():
        if name in ("dense", "sparse", "points"):
            samples = [PLACES[name]] * 2
            assert neighbours(samples, size=3, cell=GRID.spacing).backend == backend


def test_a_library_that_is_not_found_is_not_installed(monkeypatch):
    for library in ("numba", "triton", "torchsparse"):
        monkeypatch.setitem(sys.modules, library, None)
    backends.installed_backends.cache_clear()
    try:
        assert list(backends.installed_backends()) == ["reference", "dense", "torch"]
        assert neighbours(PLACES["points"], size=3, cell=0.1).backend == "torch"
    finally:
        backends.installed_backends.cache_clear()


@pytest.mark.usefixtures("_install")
@pytest.mark.parametrize("libraries", ["numba"])
@pytest.mark.parametrize("failure", [ImportError("another numpy"), SystemError("no LLVM")])
def test_a_library_that_cannot_be_imported_is_not_taken(libraries, failure, monkeypatch):
    def fails(name):
        assert name == "inftydiff.operators.local._numba_kernels"
        raise failure

    monkeypatch.setattr(backends, "import_module", fails)
    monkeypatch.setattr(backends, "importable", cache(importable.__wrapped__))
    with pytest.warns(RuntimeWarning, match=f"'numba' is installed but .*{failure}"):
        assert neighbours(PLACES["points"], size=3, cell=0.1).backend == "torch"
    assert neighbours(PLACES["sparse"], size=3, cell=GRID.spacing).backend == "torch"


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
