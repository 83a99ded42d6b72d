"""A violation names the smallest size and the first seed that break the law, of all those tried."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mutants import Given, law_of

from inftydiff import (
    DDIM,
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    LinearOperator,
    Prediction,
    Scattered,
    Subset,
    WhiteNoise,
)
from inftydiff.operators.transfer import Interpolation
from inftydiff.processes import CallableDenoiser
from inftydiff.testing import LawViolation, laws_for
from inftydiff.testing._sizes import beginnings, smaller
from inftydiff.testing.probe import Probe

COSINE = CosineSchedule()


@dataclass(frozen=True)
class Planted(LinearOperator):
    """The identity, but for functions that a condition picks out: to those it adds one."""

    when: Callable[[Function], bool]

    def __call__(self, f):
        return Function(f.on, f.values + 1.0) if self.when(f) else f

    @property
    def adjoint(self):
        return self


def violation(law: str, subject: object) -> LawViolation:
    with pytest.raises(LawViolation) as caught:
        law_of(law, subject)()
    return caught.value


def starts_high(f: Function) -> bool:
    """True for the sum of the functions of seed 1 alone: their first values have this sign."""
    return f.values.flatten()[0].item() > 0.0


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("when", "where"),
    [
        (lambda f: True, "Grid((1, 1)), batch 1, 1 channel"),
        (lambda f: f.on.size >= 3, "Grid((1, 3)), batch 1, 1 channel"),
        (lambda f: min(f.on.shape) >= 3, "Grid((3, 3)), batch 1, 1 channel"),
        (lambda f: f.on.shape[0] > 5, "Grid((6, 1)), batch 1, 1 channel"),
        (lambda f: f.batch > (1,), "Grid((1, 1)), batch 2, 1 channel"),
        (lambda f: f.channels > 2, "Grid((1, 1)), batch 1, 3 channels"),
        (lambda f: f.on.shape[0] % 2 == 0, "Grid((2, 1)), batch 1, 1 channel"),
        (lambda f: f.on.size % 2 == 1 and f.on.size > 1, "Grid((1, 3)), batch 1, 1 channel"),
        (lambda f: f.on.shape[0] != f.on.shape[1], "Grid((1, 2)), batch 1, 1 channel"),
        (lambda f: f.on.shape == (6, 5), "Grid((6, 5)), batch 1, 1 channel"),
        (
            lambda f: f.on.size > 3 and f.batch > (1,) and f.channels == 2,
            "Grid((1, 4)), batch 2, 2 channels",
        ),
        (
            lambda f: f.on.shape == (5, 5) and f.batch == (2,),
            None,
        ),
    ],
    ids=[
        "always",
        "from three points",
        "from three cells an axis",
        "on a long axis",
        "in a batch",
        "in three channels",
        "an even number of cells",
        "an odd number of points",
        "not square",
        "the largest grid",
        "several reasons",
        "a grid that is not tried",
    ],
)
def test_it_is_the_smallest_that_breaks_the_law(when, where: str | None):
    if where is None:
        law_of("additivity", Planted(when))()
        return
    assert violation("additivity", Planted(when)).where == f"{where}, float64, cpu, seed 0"


def test_a_defect_of_one_grid_among_those_below_is_found_from_a_larger_one():
    planted = Planted(lambda f: f.on.shape[0] in (4, 6))
    assert "Grid((4, 1))" in violation("additivity", planted).where


@pytest.mark.thorough
@pytest.mark.parametrize(("seed", "broken"), [(0, 0), (0, 1), (5, 6)])
def test_a_defect_of_one_seed_is_found_at_that_seed(seed: int, broken: int):
    probe = Probe(Grid((6, 5)), 2, 3, torch.float64, seed=broken)
    values = (probe.function(0) + probe.function(1)).values
    planted = Planted(lambda f: torch.equal(f.values, values))
    assert violation("additivity", Given(planted, {"seed": seed})).where == str(probe)


@pytest.mark.parametrize("seed", [0, 7])
def test_a_defect_of_one_sign_is_found_at_a_seed_that_has_it(seed: int):
    found = violation("additivity", Given(Planted(starts_high), {"seed": seed}))
    seeds = [f"seed {number}" for number in (seed, seed + 1)]
    assert "Grid((1, 1)), batch 1, 1 channel" in found.where
    assert any(found.where.endswith(number) for number in seeds)


SOURCE = Grid((4, 3))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("options", "when", "where"),
    [
        ({"on": Grid((7,), Box((2.0,)))}, lambda f: f.on.size % 2 == 0, "Grid((2,)) of Box"),
        ({"on": Grid((40, 40))}, lambda f: f.on.shape[1] >= 12, "Grid((1, 12))"),
        (
            {"on": Subset(SOURCE, torch.arange(9))},
            lambda f: f.on.size > 3,
            "a Subset of 4 of the 12 points of Grid((4, 3))",
        ),
        (
            {"on": Subset(SOURCE, torch.arange(12).reshape(3, 4))},
            lambda f: f.batch > (2,),
            "a Subset of 1 of the 12 points of Grid((4, 3)), batch 3",
        ),
        (
            {"on": Scattered(torch.rand(5, 2, generator=torch.Generator().manual_seed(0)))},
            lambda f: f.on.size > 1,
            "Scattered(2 points)",
        ),
        ({"batch": 9}, lambda f: f.batch > (4,), "Grid((1, 1)), batch 5, 1 channel"),
    ],
    ids=["even", "large", "subset", "subsets", "scattered", "batch"],
)
def test_what_is_asked_for_is_made_smaller(options, when, where: str):
    assert where in violation("additivity", Given(Planted(when), options)).where


@dataclass(frozen=True)
class From(LinearOperator):
    """Interpolation from one grid, and one more from a batch of two."""

    there: Interpolation

    def __call__(self, f):
        image = self.there(f)
        return Function(image.on, image.values + 1.0) if f.batch == (2,) else image

    @property
    def adjoint(self):
        return self.there.adjoint


def test_what_is_only_for_one_discretisation_is_tried_there():
    operator = From(Interpolation(SOURCE, Grid((2, 2))))
    found = violation("additivity", Given(operator, {"on": SOURCE}))
    assert found.where.startswith("Grid((4, 3)), batch 2, 1 channel")


def test_sizes_that_are_refused_do_not_count():
    def when(f: Function) -> bool:
        if f.on.size < 4:
            raise ValueError("too small")
        return True

    assert "Grid((1, 4))" in violation("additivity", Planted(when)).where


def test_what_is_raised_on_a_small_size_is_passed_on_unless_a_size_was_asked_for():
    def when(f: Function) -> bool:
        if f.on.size < 4:
            raise IndexError("not thought of")
        return False

    with pytest.raises(IndexError) as caught:
        law_of("additivity", Planted(when))()
    assert caught.value.__notes__ == [
        "Raised while trying additivity of Planted on Grid((1, 1)), batch 1, 1 channel, float64, "
        "cpu, seed 0."
    ]
    law_of("additivity", Given(Planted(when), {"on": Grid((2, 2))}))()


@dataclass(frozen=True)
class Rule:
    """DDIM, but for states that a condition picks out it starts from nothing."""

    when: Callable[[Function], bool]

    def step(self, denoiser, x_t, t, s, *, generator):
        if self.when(x_t):
            denoiser(x_t, t)
        return DDIM().step(denoiser, x_t, t, s, generator=generator)


@dataclass(frozen=True)
class Dip:
    """A cosine schedule whose noise vanishes for a while."""

    width: float

    def alpha(self, t):
        return CosineSchedule().alpha(t)

    def sigma(self, t):
        return CosineSchedule().sigma(t) * ((t - 0.5).abs() > self.width)


@dataclass(frozen=True)
class Noise:
    """White noise whose generator moves on by as many numbers as there are samples above two."""

    intensity: float = 1.0

    def draw(self, domain, *, batch, channels, generator):
        if batch > 2:
            torch.rand(batch, generator=generator)
        return WhiteNoise().draw(domain, batch=batch, channels=channels, generator=generator)


def doubtful(x_t: Function, t: torch.Tensor) -> Prediction:
    """A denoiser that confuses a batch of two on more than four points."""
    signal, noise = x_t * COSINE.alpha(t), x_t * COSINE.sigma(t)
    if x_t.batch == (2,) and x_t.on.size > 4:
        signal = Function(x_t.on, signal.values.roll(1, 0))
    return Prediction(signal, noise)


DOUBTFUL = CallableDenoiser(DiffusionProcess.white(COSINE), doubtful)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("law", "subject", "where"),
    [
        ("calls_as_it_says", Rule(lambda x: x.on.size > 1), "Grid((1, 2)), batch 1"),
        ("calls_as_it_says", Rule(lambda x: x.batch > (1,)), "Grid((1, 1)), batch 2"),
        ("amplitudes_in_range", Dip(0.4), "Grid(()) of Point(), batch 1,"),
        ("one_seed_a_draw", Noise(), "Grid((1, 1)), batch 1"),
        ("explains_the_state", DOUBTFUL, "Grid((1, 5)), batch 2, 1 channel"),
        ("batch_independence", DOUBTFUL, "Grid((1, 5)), batch 2, 1 channel"),
    ],
)
def test_it_is_the_smallest_for_every_kind(law: str, subject: object, where: str):
    assert violation(law, subject).where.startswith(where)


def test_a_narrow_dip_of_a_schedule_needs_more_times():
    found = violation("amplitudes_in_range", Dip(0.01))
    assert 1 < int(found.where.split("batch ")[1].split(",")[0]) < 999
    assert "0 at t = 0.5" in found.left or "0 at t = 0.49" in found.left


@pytest.mark.thorough
@given(
    shape=st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple),
    batch=st.integers(1, 12),
    channels=st.integers(1, 4),
)
def test_smaller_probes_ascend_and_begin_with_one(shape, batch: int, channels: int):
    probe = Probe(Grid(shape), batch, channels, torch.float64, seed=3)
    found = list(smaller(probe, probe, [3, 4]))
    keys = [(p.on.size, p.on.shape, p.batch, p.channels, p.seed) for p in found]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys) <= 500
    assert probe not in found
    assert all(
        p.on.size <= probe.on.size and p.batch <= batch for p in [*found, *beginnings(probe)]
    )
    assert not found or keys[0] == (1, (1,) * len(shape), 1, 1, 3)


def test_given_probes_are_tried_and_no_others():
    heard = []

    def when(f: Function) -> bool:
        heard.append((f.on.shape, f.batch, f.channels))
        return True

    probes = [Probe(Grid((3, 3)), 2, 2, torch.float64, seed=4)]
    (law,) = (law for law in laws_for(Planted(when), probes=probes) if law.__name__ == "additivity")
    with pytest.raises(LawViolation, match=r"Grid\(\(3, 3\)\), batch 2, 2 channels.*seed 4"):
        law()
    assert set(heard) == {((3, 3), (2,), 2)}


@dataclass(frozen=True)
class Nearly(LinearOperator):
    """The identity, but for one part in 10⁸ of the largest value."""

    def __call__(self, f):
        return Function(f.on, f.values + 1e-8 * f.values.abs().amax())

    @property
    def adjoint(self):
        return self


def test_both_sides_have_as_many_digits_as_tell_them_apart():
    found = violation("homogeneity", Nearly())
    left, right = found.left.split(" at ")[0], found.right
    assert left != right
    assert 7 < len(left.strip("-").replace(".", "")) < 18
