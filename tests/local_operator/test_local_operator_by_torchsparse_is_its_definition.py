"""From sums as TorchSparse gives them, subsets of the reference lattice get the definition's image.

A stand-in finds the neighbours and adds up; TorchSparse's own are tested with its kernels.
"""

import pytest
import torch
from local_operators import Case, outcome, truth
from torch.testing import assert_close
from torchsparse_stand_in import install

from inftydiff.operators.local import Neighbours, backend
from inftydiff.operators.local._torchsparse_form import TorchSparseForm

CASES = {
    "a line": Case((9,), (1,), 5, 2, (), 6, None, 0),
    "one subset": Case((5, 4), (1, 1), 3, 3, (2, 3), 9, None, 1),
    "a subset a sample": Case((5, 4), (1, 1), 5, 3, (2, 3), 9, 3, 2),
    "one node": Case((5, 4), (1, 1), 1, 3, (2,), 9, None, 5),
    "within one window": Case((3, 2), (1, 1), 7, 2, (), 4, None, 6),
    "a cube": Case((3, 4, 3), (1, 1, 1), 3, 2, (2,), 14, 2, 3),
    "channels mixed": Case((5, 4), (1, 1), 3, 3, (2, 3), 9, 3, 4, 2),
}


FORK, NEW = "2.0.0b0", "2.1.0"


@pytest.fixture
def stand_in(version, monkeypatch):
    """Have the stand-in of some version, and every other backend."""
    there = dict.fromkeys(backend.BACKENDS, "")
    monkeypatch.setattr(backend, "installed_backends", lambda: there)
    return install(monkeypatch, version)


def check(case: Case, near: Neighbours, dtype: torch.dtype, tolerance: float) -> None:
    results = outcome(near, case.values, case.weight, dtype)
    for result, expected in zip(results, truth(case), strict=True):
        assert_close(result.double(), expected, rtol=tolerance, atol=tolerance)


DONE = [
    (name, version)
    for name, case in CASES.items()
    for version in (FORK, NEW)
    if version == NEW or not case.images  # the fork has depthwise convolutions alone
]


@pytest.mark.parametrize(("name", "version"), DONE)
def test_values_and_gradients(name, version, stand_in):
    case = CASES[name]
    near = case.map_by("torchsparse")
    assert near.backend == "torchsparse"
    assert isinstance(near.form, TorchSparseForm)
    for _ in range(2):
        check(case, near, torch.float32, 1e-5)
    assert stand_in.maps_made == (case.size > 1)


@pytest.mark.parametrize("version", [NEW])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.images])
def test_depthwise_sums_over_its_maps_take_any_dtype(name, version, stand_in):
    case = CASES[name]
    check(case, case.map_by("torchsparse"), torch.float64, 1e-12)


@pytest.mark.parametrize("version", [FORK, NEW])
def test_the_normaliser_is_that_of_the_other_backends(version, stand_in):
    for case in CASES.values():
        assert torch.equal(case.map_by("torchsparse").mass, case.map_by("torch").mass)


@pytest.mark.parametrize("version", [NEW])
def test_it_is_never_chosen(version, stand_in):
    for case in CASES.values():
        assert case.map.backend != "torchsparse"
