"""Data with a mean: the oracle is affine, and at the state's mean it answers with the means."""

import pytest
import torch
from dense_oracles import process_and_data, state
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.processes import Blurring
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.strategies import grids, seeds

TIMES = torch.tensor([0.2, 0.9], dtype=torch.float64)
NAMES = ("signal", "noise", "clean")


@given(
    data=st.data(),
    grid=grids(most_dim=2, most=16, boundaries=BOUNDARIES),
    own=st.booleans(),
    blurring=st.booleans(),
    half=st.booleans(),
    seed=seeds(),
)
def test_at_the_mean_it_gives_the_means_and_off_it_what_it_gives_centred_data(
    data, grid: Grid, own: bool, blurring: bool, half: bool, seed: int
):
    process, centred = process_and_data(data, grid)
    if blurring:
        process = DiffusionProcess.blurring(process.schedule, Blurring(0.2))
    values = state(grid, 2, 3, seed).values
    mean = Function(grid, values if own else values[0])
    law = GaussianMeasure(mean, centred.factor, centred.noise)
    on = Subset(grid, torch.arange(0, grid.size, 2)) if half else grid

    each = Function(grid, mean.values.expand(2, -1, -1))
    signal = process.signal_at(TIMES)(each)
    if half:
        signal, each = signal.restrict(on), each.restrict(on)
    middle = signal * process.schedule.alpha(TIMES)
    off = state(on, 2, 3, seed + 1)

    denoiser = GaussianDenoiser(process, law)
    at_middle, beside = denoiser(middle, TIMES), denoiser(middle + off, TIMES)
    expected = GaussianDenoiser(process, centred)(off, TIMES)
    for name, there in zip(NAMES, (signal, signal * 0.0, each), strict=True):
        found = getattr(at_middle, name).values
        torch.testing.assert_close(found, there.values, rtol=1e-9, atol=1e-9)
        change = getattr(beside, name).values - found
        scale = max(1.0, getattr(expected, name).values.abs().max().item())
        torch.testing.assert_close(
            change, getattr(expected, name).values, rtol=0, atol=1e-7 * scale
        )


def test_a_mean_that_lives_elsewhere_or_has_other_channels_is_refused():
    process = DiffusionProcess.white(CosineSchedule())
    mean = Function(Grid((4,)), torch.ones(4, 1))
    denoiser = GaussianDenoiser(
        process, GaussianMeasure(mean, gaussian_mollifier(0.1), WhiteNoise())
    )
    t = torch.tensor([0.5])
    with pytest.raises(ValueError, match="mean lives on another discretisation"):
        denoiser(Function(Grid((5,)), torch.ones(1, 5, 1)), t)
    with pytest.raises(ValueError, match="mean has 1 channels; the states have 2"):
        denoiser(Function(Grid((4,)), torch.ones(1, 4, 2)), t)
