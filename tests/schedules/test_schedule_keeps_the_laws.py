"""Every schedule that ships keeps the laws of schedules."""

from itertools import accumulate
from operator import mul

import pytest
import torch
from every_schedule import EVERY
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.processes.schedules import (
    ConstantSchedule,
    FlowMatchingSchedule,
    ShiftedCosineSchedule,
    SigmoidSchedule,
    TabulatedSchedule,
    VarianceExplodingSchedule,
)
from inftydiff.testing import laws_for
from inftydiff.testing.strategies import seeds

MAKERS = {
    "constant": lambda u, v: ConstantSchedule(0.001 + 0.02 * u),
    "shifted cosine": lambda u, v: ShiftedCosineSchedule(10 ** (3 * u - 1.5)),
    "sigmoid": lambda u, v: SigmoidSchedule(-6 * u, 4 * v + 0.1, 0.2 + u * v),
    "exploding": lambda u, v: VarianceExplodingSchedule(10 ** (-4 * u), 10 ** (0.1 + 3 * v)),
    "flow": lambda u, v: FlowMatchingSchedule(10 ** (2 * u - 1)),
}


@pytest.mark.parametrize("name", EVERY)
def test_what_ships(name: str):
    for law in laws_for(EVERY[name]):
        law()


@pytest.mark.thorough
@pytest.mark.parametrize("name", MAKERS)
@given(u=st.floats(0.0, 1.0), v=st.floats(0.0, 1.0))
def test_their_parameters_are_free(name: str, u: float, v: float):
    for law in laws_for(MAKERS[name](u, v)):
        law()


@given(
    falls=st.lists(st.floats(0.3, 1.0), min_size=1, max_size=6),
    rises=st.lists(st.floats(1.001, 9.0), min_size=6, max_size=6),
    seed=seeds(),
)
def test_random_tables(falls: list[float], rises: list[float], seed: int):
    generator = torch.Generator().manual_seed(seed)
    gaps = torch.rand(len(falls), generator=generator, dtype=torch.float64) + 0.1
    times = (gaps.cumsum(0) / gaps.sum()).tolist()
    alphas = list(accumulate(falls, mul))
    ratios = list(accumulate(rises[: len(falls)], mul, initial=0.01))[1:]
    sigmas = [alpha * ratio for alpha, ratio in zip(alphas, ratios, strict=True)]
    table = TabulatedSchedule((0.0, *times[:-1], 1.0), (1.0, *alphas), (0.0, *sigmas))
    for law in laws_for(table):
        law()
