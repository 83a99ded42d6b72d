"""Settings are of the right kind and bounded, kept as checked, and refused at once if not."""

import dataclasses
import json
import math
import time
from collections.abc import Iterator

import jaxtyping
import pytest
from hostile import complaints
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import Box
from inftydiff.pipelines import PRESETS, InftyDiffConfig, ModelCard, preset
from inftydiff.training import TrainConfig, training_preset

TINY = preset("tiny")
RUN = TrainConfig(max_steps=5, minutes=1.0)

WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.floats(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 1e308, 1e-308]),
    st.lists(st.one_of(st.floats(), st.integers(), st.text(max_size=2)), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
"""All that JSON can hold."""


@pytest.fixture(autouse=True, scope="module")
def _as_shipped() -> Iterator[None]:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def numbers(value: object) -> list[float]:
    """The numbers of a field, those of its parts too."""
    if isinstance(value, int | float):
        return [value]
    return [n for part in value for n in numbers(part)] if isinstance(value, tuple) else []


@pytest.mark.parametrize("settings", [TINY, RUN, ModelCard()], ids=lambda s: type(s).__name__)
def test_hostile_values(settings):
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        valid = {field.name: lambda value=value: value}
        if isinstance(settings, TrainConfig) and field.name != "max_steps":
            valid |= {"max_steps": lambda: 5}
        assert complaints(type(settings), valid) == []


@pytest.mark.parametrize("minutes", ["1", True, [1.0], 1j])
def test_minutes_that_are_no_number(minutes):
    with pytest.raises(TypeError, match="minutes must be a finite number above 0"):
        TrainConfig(minutes=minutes)


def test_what_is_checked_is_kept():
    run = TrainConfig(minutes=1, max_steps=2.0, batch_size=4.0, warmup=0.0, ema=0)
    assert [type(v) for v in (run.minutes, run.max_steps, run.batch_size)] == [float, int, int]
    assert (type(run.warmup), type(run.ema)) == (int, float)
    config = InftyDiffConfig(domain=Box([1, 0.5]), clip=[-1, 1], steps=3.0)
    assert (config.domain.lengths, config.clip, config.steps) == ((1.0, 0.5), (-1.0, 1.0), 3)
    assert type(config.steps) is int


@pytest.mark.parametrize(
    "changes",
    [
        {"process": {"kind": "white", "noise": {"kind": "white", "intensity": 1e300}}},
        {"process": {"kind": "mollified", "mollifier": {"kind": "heat", "width": -1.0}}},
        {"domain": {"kind": "box", "lengths": [1e-300, 1.0]}},
        {"domain": {"kind": "box", "lengths": []}},
        {"clip": [0]},
        {"clip": [-math.inf, 1.0]},
        {"steps": 10**400},
        {"training_resolution": 10**9},
        {"network": None},
        {"prior": 3},
        {"process": ["cosine"]},
        {"channels": 10**9},
    ],
    ids=str,
)
def test_files_of_strangers(changes: dict):
    text = json.dumps(json.loads(TINY.to_json()) | changes)
    start = time.monotonic()
    with pytest.raises(
        ValueError, match="must be|takes|is read from|2 items|one of|is a |needs at least"
    ):
        InftyDiffConfig.from_json(text)
    assert time.monotonic() - start < 2.0


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, "{", "null", "[]", ""])
def test_files_that_are_no_settings(text: str):
    with pytest.raises(ValueError, match="JSON|version|mapping"):
        InftyDiffConfig.from_json(text)


@given(field=st.sampled_from([f.name for f in dataclasses.fields(InftyDiffConfig)]), value=WRONG)
def test_any_value_is_kept_as_finite_numbers_or_refused(field: str, value: object):
    record = json.loads(TINY.to_json()) | {field: value}
    try:
        config = InftyDiffConfig.from_json(json.dumps(record))
    except ValueError:
        return
    assert all(map(math.isfinite, numbers(getattr(config, field))))
    assert InftyDiffConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_within_the_bounds(name: str):
    config = preset(name)
    assert InftyDiffConfig.from_json(config.to_json()) == config
    assert isinstance(training_preset(name), TrainConfig)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "face"},
        {"resolution": 0},
        {"resolution": 10**6},
        {"channels": 10**9},
        {"mollifier_width": 1e300},
        {"lengths": (1e-300, 1.0)},
    ],
    ids=str,
)
def test_presets_refuse(changes: dict):
    with pytest.raises(ValueError, match="must be"):
        preset(**changes)
