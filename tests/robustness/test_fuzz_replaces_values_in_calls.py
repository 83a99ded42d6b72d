"""Values in an example are found and replaced by their place, and twins mean one thing."""

import ast
import random

import pytest
import the_fuzzer  # noqa: F401
import torch

from robustness.fuzz_hostile import LISTS, hostile, twin
from robustness.fuzz_slots import Call


@pytest.mark.parametrize(
    ("text", "slot", "edited"),
    [
        ("f(x, x)", ("args", 1), "f(x, None)"),
        ("f(x, size=x)", ("keywords", 0), "f(x, size=None)"),
        ("f((1, 2), x)", ("args", 0, "elts", 1), "f((1, None), x)"),
        ("f(x)", ("new", "size"), "f(x, size=None)"),
        ("list(f(x))", ("args", 0), "list(f(None))"),
        ("g(1)(x)", ("args", 0), "g(1)(None)"),
        ("data[0]", ("slice",), "data[None]"),
    ],
)
def test_one_place_is_replaced(text, slot, edited):
    assert Call(text).edited({slot: "None"}) == edited


def test_all_places_are_found_and_named():
    def f(a, b, *, c=1, d=2):
        return a, b, c, d

    call = Call("f(1, (2, 3), d=4)")
    slots = call.slots(f)
    assert set(slots) == {
        ("args", 0),
        ("args", 1),
        ("args", 1, "elts", 0),
        ("args", 1, "elts", 1),
        ("keywords", 0),
        ("new", "c"),
    }
    assert [call.name(slot, f) for slot in slots] == ["a", "b", "d", "b", "b", "c"]


def test_a_whole_is_replaced_before_its_items():
    both = {("args", 0): "[7, 8]", ("args", 0, "elts", 1): "None"}
    assert Call("f((1, 2))").edited(both) == "f([7, None])"


@pytest.mark.parametrize("seed", range(50))
def test_hostile_values_are_expressions(seed):
    draw = random.Random(seed)
    for value in (1, 0.5, None, "word", (1, 2), torch.ones(2), {"a": 1}, lambda: 1):
        ast.parse(hostile(draw, value, "good", lambda _: ""), mode="eval")


def test_the_same_draw_gives_the_same_value():
    drawn = [hostile(random.Random(3), 0.5, "0.5", lambda _: "") for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len({hostile(random.Random(i), 0.5, "0.5", lambda _: "") for i in range(50)}) > 15
    assert all(LISTS.lists.values())


@pytest.mark.parametrize("seed", range(20))
def test_twins_mean_one_thing(seed):
    draw = random.Random(seed)
    x = torch.tensor([0.4, 1.0])
    one, other = (eval(text, {"x": x, "torch": torch}) for text in twin(draw, x, "x"))
    assert torch.equal(one.to(other.dtype), other)
    assert one.dtype != other.dtype
    number, same = twin(draw, 3, "3")
    assert same == "REFUSED" or float(eval(number, {"np": __import__("numpy")})) == 3.0
