"""Oracles refuse what they have no exact answer to, by one clear error each."""

import pytest
import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.local import LocalOperator
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.oracles import MixtureDenoiser
from inftydiff.testing.oracles._joint import PointLaw

GRID = Grid((4,))
LAW = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
WHITE = DiffusionProcess.white(CosineSchedule())
STATE = Function(GRID, torch.ones(1, 4, 1))


def test_operators_that_are_not_spectral():
    local = LocalOperator(torch.ones(1, 3), 0.1)
    with pytest.raises(TypeError, match="local operator acts on point values"):
        GaussianDenoiser(WHITE, GaussianMeasure(None, local, WhiteNoise()))
    for kwargs in (
        {"signal": local, "noise_factor": Identity()},
        {"signal": Identity(), "noise_factor": local},
    ):
        process = DiffusionProcess(CosineSchedule(), noise=WhiteNoise(), **kwargs)
        with pytest.raises(TypeError):
            GaussianDenoiser(process, LAW)


def test_weights_that_are_no_probabilities():
    for weights in ((0.5, 0.6), (1.5, -0.5), (1.0, 0.0)):
        with pytest.raises(ValueError, match="above 0 and add up to 1"):
            MixtureDenoiser(WHITE, weights, (LAW, LAW))
    with pytest.raises(ValueError, match="one weight a component; got 1 weights for 2"):
        MixtureDenoiser(WHITE, (1.0,), (LAW, LAW))
    with pytest.raises(ValueError, match="one weight a component; got 0"):
        MixtureDenoiser(WHITE, (), ())


@pytest.mark.parametrize(
    "oracle", [GaussianDenoiser(WHITE, LAW), MixtureDenoiser(WHITE, (1.0,), (LAW,))]
)
def test_times_that_are_not_one_a_sample_or_out_of_range(oracle):
    for t in (torch.tensor([0.5, 0.5]), torch.tensor([0.1, 0.2, 0.3])):
        with pytest.raises(ValueError, match="one time a sample"):
            oracle(STATE, t)
    with pytest.raises(ValueError, match="Times lie in"):
        oracle(STATE, torch.tensor([1.5]))


def test_white_noise_off_a_lattice():
    points = Scattered(torch.tensor([[0.2], [0.7]]))
    with pytest.raises(ValueError, match="White noise has no values off a lattice"):
        GaussianDenoiser(WHITE, LAW)(Function(points, torch.ones(1, 2, 1)), torch.tensor([0.5]))


def test_a_covariance_that_is_not_positive():
    points = Scattered(torch.tensor([[0.2], [0.7]]))
    bad = torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.float64)
    law = PointLaw(points, bad, bad, None)
    one = torch.ones(1, dtype=torch.float64)
    with pytest.raises(ValueError, match="covariance of the states is not positive"):
        law.means(Function(points, torch.ones(1, 2, 1)), one, one)
