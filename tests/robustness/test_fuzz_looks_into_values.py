"""The fuzzer sees changed arguments, values that are not finite, and answers that differ."""

from dataclasses import dataclass

import numpy as np
import pytest
import the_fuzzer  # noqa: F401
import torch

from robustness.fuzz_hints import hints_of, misfit
from robustness.fuzz_values_seen import differ, fingerprint, finite


@dataclass
class Held:
    values: object
    _cache: object = None


def wrap(value):
    return [value, (value,), {"a": value}, Held(value)]


@pytest.mark.parametrize("place", range(4))
def test_a_change_in_place_is_seen(place):
    values = torch.ones(3)
    held = wrap(values)[place]
    before = fingerprint(held)
    assert fingerprint(held) == before
    values[1] = 2.0
    assert fingerprint(held) != before


def test_what_an_object_keeps_to_itself_is_no_change():
    held = Held(1)
    before = fingerprint(held)
    held._cache = {1: 2}
    assert fingerprint(held) == before


@pytest.mark.parametrize(
    "value", [torch.tensor(torch.nan), np.array([np.inf]), float("nan"), np.float32("inf")]
)
@pytest.mark.parametrize("place", range(4))
def test_what_is_not_finite_is_seen(value, place):
    assert not finite(wrap(value)[place])


@pytest.mark.parametrize(
    "value", [torch.ones(2), np.ones(2), 1e308, 10**400, "nan", None, torch.ones(2, device="meta")]
)
def test_what_is_finite_is_no_fault(value):
    assert finite(value)


def test_answers_are_compared_by_value():
    assert not differ(torch.ones(2), torch.ones(2, dtype=torch.float64))
    assert not differ(Held(torch.tensor(torch.nan)), Held(torch.tensor(torch.nan)))
    assert differ(torch.ones(2), torch.ones(3))
    assert differ([torch.ones(2)], [torch.zeros(2)])
    assert differ((1, 2), (1, 2, 3))


@pytest.mark.parametrize(
    ("hint", "value", "wrong"),
    [
        (float, "1", True),
        (float, 1, False),
        (int, 2.5, True),
        (int, 2.0, False),
        (int | None, None, False),
        (int, None, True),
        (torch.Tensor, [1.0], True),
        (tuple[int, ...], "ab", True),
        (tuple[int, ...], [1, 2], False),
        (object, "anything", False),
    ],
)
def test_values_are_held_against_annotations(hint, value, wrong):
    assert misfit(hint, value) is wrong


def test_annotations_of_a_constructor_are_those_of_its_fields():
    from inftydiff.training import TrainConfig

    hints = hints_of(TrainConfig)
    assert misfit(hints["minutes"], "1")
    assert not misfit(hints["minutes"], None)
