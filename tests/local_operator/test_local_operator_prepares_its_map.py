"""What depends on the points alone is made with the map, and not again at each call."""

import pytest
from local_operators import Case, backends, outcome

from inftydiff.operators.local import _dense as dense
from inftydiff.operators.local import _factorised as factorised
from inftydiff.operators.local import definition

CASES = {
    "a refined grid": Case((6, 5), (2, 2), 3, 2, (2,), None, None, 0),
    "a grid of another ratio": Case((6, 5), (1.5, 1.5), 3, 2, (2,), None, None, 1),
    "a refined subset": Case((6, 5), (2, 3), 3, 2, (2,), 9, None, 2),
    "mixed channels": Case((6, 5), (2, 1.5), 3, 2, (2, 3), 9, 3, 3, 4),
}


@pytest.mark.thorough
@backends("dense", "torch", "numba", "triton")
@pytest.mark.parametrize("name", CASES)
def test_the_hats(name, backend, monkeypatch):
    case = CASES[name]
    near = case.map_by(backend)
    expected = outcome(near, case.values, case.weight)

    def again(*arguments):
        raise AssertionError("the hats are made again")

    for module in (definition, dense, factorised):
        monkeypatch.setattr(module, "hat_matrix", again)
    assert all(
        a.equal(b) for a, b in zip(outcome(near, case.values, case.weight), expected, strict=True)
    )


@backends("torch", "triton")
def test_the_order_of_the_pairs(backend):
    pairs = CASES["a refined subset"].map_by(backend).form.pairs
    made = dict(vars(pairs))
    assert ("by_tap" if backend == "torch" else "by_segment") in made
    lists = pairs.lists(backend)
    assert all(a is b for a, b in zip(lists, pairs.lists(backend), strict=True))
    assert vars(pairs).keys() == made.keys()
