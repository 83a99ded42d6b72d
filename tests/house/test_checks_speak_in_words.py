"""A check returns what may be kept, or refuses it in words that name it and show what was got."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff._typing import (
    checked_seed,
    choice,
    device_of,
    dtype_of,
    entries,
    flag,
    floating,
    fraction,
    generator_for,
    instance,
    integers,
    length,
    not_negative,
    number,
    positive,
    scalar,
    shown,
    store,
    times,
    whole,
)

NAME = "A thing's width"


@pytest.fixture(autouse=True)
def _unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


NUMBERS = (number, positive, length, not_negative, fraction, whole, checked_seed)

KINDS = (
    flag,
    entries,
    floating,
    integers,
    scalar,
    times,
    dtype_of,
    device_of,
    generator_for,
    lambda value, name: choice(value, ("prior", "posterior"), name),
    lambda value, name: instance(value, torch.Generator, name),
)

STRANGE = (
    None,
    True,
    "x",
    b"x",
    1j,
    (),
    [[[[]]]],
    {},
    object(),
    int,
    lambda: 0,
    10**400,
    -(10**5000),
    np.zeros(3),
    np.zeros(()),
    np.bool_(True),
    np.complex128(1j),
    torch.zeros(2, dtype=torch.int64),
    torch.zeros(2, dtype=torch.complex64),
    torch.zeros(2, device="meta"),
    torch.zeros(()),
    torch.zeros(1, requires_grad=True),
    torch.eye(2).to_sparse(),
    torch.float8_e5m2,
    torch.Generator,
    "cuda:x",
    "meta",
    float("nan"),
    math.inf,
    -1,
)


def words(check: Callable[[object, str], object], value: object) -> str | None:
    """What a check says of a value; None if it takes it. Other errors are not caught."""
    try:
        check(value, NAME)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("check", NUMBERS + KINDS)
def test_whatever_comes_is_taken_or_refused_by_name(check: Callable[[object, str], object]) -> None:
    for value in STRANGE:
        said = words(check, value)
        assert said is None or (said.startswith(NAME) and "got" in said and len(said) < 300), value


@pytest.mark.parametrize("check", NUMBERS)
def test_only_real_numbers_are_numbers(check: Callable[[object, str], object]) -> None:
    for value in STRANGE[:-3]:
        huge = isinstance(value, int) and not isinstance(value, bool)
        with pytest.raises(ValueError if huge else TypeError, match=f"{NAME} must be"):
            check(value, NAME)


@given(st.one_of(st.floats(), st.integers(), st.fractions()))
def test_a_number_is_a_finite_float_or_an_integer_of_python(value: float) -> None:
    for check in NUMBERS:
        if words(check, value) is None:
            found = check(value, NAME)
            assert type(found) is (int if check in (whole, checked_seed) else float)
            assert math.isclose(found, value)


@given(st.integers(-(2**70), 2**70))
def test_a_whole_number_is_not_changed(value: int) -> None:
    if 0 <= value < 2**63:
        assert checked_seed(value) == value
    else:
        with pytest.raises(ValueError, match="A seed must be a whole number from 0 to"):
            checked_seed(value)


@given(st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists))
def test_what_a_message_shows_is_short(value: object) -> None:
    assert len(shown(value)) < 400
    assert "\n" not in shown(torch.zeros(3, 3)) + shown([torch.zeros(3, 3)])


def test_a_dataclass_keeps_what_was_checked() -> None:
    @dataclass(frozen=True)
    class Size:
        rows: int
        width: float

        def __post_init__(self) -> None:
            store(self, whole, "rows", subject="A size's ", most=9)
            store(self, positive, "width", subject="A size's ")

    size = Size(np.int64(3), np.float32(0.5))  # type: ignore[arg-type]
    assert json.loads(json.dumps(asdict(size))) == {"rows": 3, "width": 0.5}
    with pytest.raises(
        ValueError, match=r"size's rows must be a whole number of at most 9; got 10"
    ):
        Size(10, 1.0)
    with pytest.raises(TypeError, match="A size's width must be .* above 0; got '1', a str"):
        Size(1, "1")  # type: ignore[arg-type]


def test_the_nearest_word_and_the_class_to_make_are_named() -> None:
    with pytest.raises(ValueError, match=r"got 'posteriour'. Did you mean 'posterior'\?"):
        choice("posteriour", ("prior", "posterior"), NAME)
    with pytest.raises(TypeError, match=r"got the class Generator. Make one: Generator\(…\)"):
        instance(torch.Generator, torch.Generator, NAME)
