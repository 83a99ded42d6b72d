"""Each whole number from 0 to 2⁶³ − 1 is a seed of its own, and no other value is one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import WhiteNoise
from inftydiff._typing import checked_seed
from inftydiff.cli.drawing import draw
from inftydiff.cli.sources import split
from inftydiff.data import faces
from inftydiff.operators.domain import Point
from inftydiff.pipelines import InftyDiff, preset
from inftydiff.processes import RandomField, Solver, timesteps
from inftydiff.processes._seeds import generator_of, seeds_from
from inftydiff.processes.solvers import DDIM
from inftydiff.training import TrainConfig
from inftydiff.training._batches import BatchSampler, step_generator

SHORT, LAST = 2**32, 2**63 - 1
FEW = [5, SHORT + 5, 2 * SHORT + 5, SHORT, 0, LAST, LAST - SHORT]
seeds = st.integers(0, LAST)


def numbers(generator: torch.Generator) -> tuple[float, ...]:
    drawn = [torch.rand(3, generator=generator), torch.randn(20, generator=generator)]
    return tuple(torch.cat(drawn).tolist())


@given(st.integers(0, SHORT - 1))
def test_short_seeds_draw_as_before(seed: int):
    known = torch.Generator().manual_seed(seed)
    assert torch.equal(generator_of(seed).get_state(), known.get_state())


@given(seeds, st.integers(0, 62))
def test_any_bit_makes_another_stream(seed: int, bit: int):
    one, other = numbers(generator_of(seed)), numbers(generator_of(seed ^ 1 << bit))
    assert one == numbers(generator_of(seed))
    assert not set(one) & set(other)


@given(st.integers(SHORT, LAST))
def test_a_long_seed_is_the_twister_of_numpy(seed: int):
    """After its first number, with which numpy begins to fill the state anew."""
    known = np.random.MT19937(np.random.SeedSequence(seed)).random_raw(1000)[1:]
    found = torch.empty(999, dtype=torch.int32).random_(0, 2**20, generator=generator_of(seed))
    assert found.tolist() == (known % 2**20).tolist()
    assert generator_of(seed).initial_seed() == seed


def test_noises_differ():
    fields = [
        WhiteNoise().draw(Point(), batch=1, channels=1, generator=generator_of(seed)).seed
        for seed in FEW
    ]
    assert len(set(fields)) == len(FEW)


@pytest.fixture(scope="module")
def tiny() -> InftyDiff:
    return InftyDiff(preset("tiny", resolution=8)).eval()


@pytest.mark.parametrize("solver", [DDIM(), DDIM(1.0)])
def test_pictures_differ(tiny: InftyDiff, solver: Solver):
    drawn = draw(tiny, tiny.grid(8), FEW, solver=solver, times=timesteps(1), title="")
    assert len({tuple(picture.flatten().tolist()) for picture in drawn}) == len(FEW)


def test_the_choice_of_what_is_held_out_differs():
    assert len({tuple(split(100, 10, seed)[1].tolist()) for seed in FEW}) == len(FEW)


def test_training_orders_and_draws_differ():
    orders = {tuple(BatchSampler(100, 10, seed=seed).batch(0)) for seed in FEW}
    assert len(orders) == len(FEW)
    assert len({numbers(step_generator(seed, 3)) for seed in FEW}) == len(FEW)


def test_the_state_for_initial_weights_is_that_of_manual_seed():
    with torch.random.fork_rng():
        torch.manual_seed(7)
        known = torch.randn(5)
        torch.set_rng_state(generator_of(7).get_state())
        assert torch.equal(torch.randn(5), known)


WRONG: list[Any] = [-1, 2**63, 2**64, 2**64 + 5, 1.5, True, "5", None, float("nan")]


def train(seed: Any) -> None:
    TrainConfig(max_steps=1, seed=seed)


def field(seed: Any) -> None:
    RandomField(seed=seed, domain=Point(), batch=1, channels=1, intensity=1.0)


@pytest.mark.parametrize("seed", WRONG, ids=repr)
@pytest.mark.parametrize("take", [checked_seed, generator_of, train, field])
def test_what_is_no_seed(take: Any, seed: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises((TypeError, ValueError)) as refused:
        take(seed)
    assert "must be a whole number from 0 to 2**63 - 1; got " in str(refused.value)


@pytest.mark.parametrize("seed", WRONG, ids=repr)
def test_what_is_no_seed_of_a_face(seed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises((TypeError, ValueError), match="A seed of a face must be"):
        faces(seeds=[0, seed], resolution=8, cache=tmp_path / "cache")
    assert not list(tmp_path.iterdir())


def test_seeds_in_a_row():
    assert list(seeds_from(LAST - 1, 2)) == [LAST - 1, LAST]
    with pytest.raises(ValueError, match="--seed and each of the 3 from it on must be"):
        seeds_from(LAST - 1, 3, "--seed")
