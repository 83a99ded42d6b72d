"""The likelihood of Gaussian data is the closed form, for every process, boundary and dimension."""

import pytest
import torch
from likelihoods import gaussian_log_density, ratios, snr
from torch.testing import assert_close

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    LinearSchedule,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.covariance import squared_exponential
from inftydiff.operators.domain import Point
from inftydiff.processes import Schedule, log_likelihood
from inftydiff.processes.schedules import FlowMatchingSchedule, VarianceExplodingSchedule
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.strategies import KnotSchedule

SHORT = KnotSchedule((1.0, 0.6, 0.02), (0.0, 0.5, 2.0))
GRID = Grid((12,))
CASES = {
    "white": (GRID, CosineSchedule(), 0.3),
    "mollified": (Grid((9,), Box((2.0,), boundary="periodic")), LinearSchedule(), 0.4),
    "noise-only": (Grid((8,), Box((0.7,), boundary="absorbing")), FlowMatchingSchedule(), 0.6),
    "smoother": (
        Grid((4, 5), Box((1.0, 1.3), boundary=("periodic", "reflecting"))),
        VarianceExplodingSchedule(0.01, 50.0),
        0.8,
    ),
    "mollified in 3-D": (Grid((3, 2, 4)), SHORT, 0.5),
    "white on the point, to the end": (Grid((), Point()), KnotSchedule((1.0, 0.5, 0.0)), 0.4),
}


def process(kind: str, grid: Grid, schedule: Schedule) -> DiffusionProcess:
    noise = WhiteNoise(0.3)
    T = gaussian_mollifier(0.8 * min(grid.spacing, default=1.0))
    match kind.split()[0]:
        case "white":
            return DiffusionProcess.white(schedule, noise=noise)
        case "mollified":
            return DiffusionProcess.mollified(schedule, T, noise=noise)
        case "noise-only":
            return DiffusionProcess.noise_only(schedule, T, noise=noise)
    return DiffusionProcess(schedule, signal=T @ T, noise_factor=T, noise=noise)


def states(chain: DiffusionProcess, data: GaussianMeasure, grid: Grid, time: float) -> Function:
    g = torch.Generator().manual_seed(0)
    x0 = data.sample(grid, batch=2, channels=2, generator=g)
    x0 = Function(grid, x0.values.double())
    t = torch.full((2,), time, dtype=torch.float64)
    return chain.marginal(x0, t).sample(grid, batch=2, channels=2, generator=g)


def probed() -> dict:
    """Options for one probe, which is exact where the modes are independent."""
    g = torch.Generator().manual_seed(0)
    return {"probes": 1, "generator": g, "rtol": 1e-7, "atol": 1e-7}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", CASES)
def test_it_is_the_closed_form(kind: str):
    grid, schedule, time = CASES[kind]
    chain = process(kind, grid, schedule)
    data = GaussianMeasure(None, squared_exponential(0.5, dim=max(1, grid.dim)), WhiteNoise())
    x = states(chain, data, grid, time)
    found = log_likelihood(
        GaussianDenoiser(chain, data),
        x,
        time=time,
        smooth_data=kind == "noise-only",
        **probed(),
    )
    expected = gaussian_log_density(chain, data, x, time, begun=snr(chain, 1.0))
    assert found.dtype == torch.float64
    assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.thorough
def test_what_the_process_has_left_of_the_signal_at_the_end_is_not_in_the_flow_s_prior():
    chain = process("white", GRID, KnotSchedule((1.0, 0.5, 1e-2)))
    data = GaussianMeasure(None, squared_exponential(0.3, dim=1), WhiteNoise())
    x = states(chain, data, GRID, 0.4)
    found = log_likelihood(GaussianDenoiser(chain, data), x, time=0.4, **probed())
    difference = (found - gaussian_log_density(chain, data, x, 0.4)).abs().max()
    assert 1e-3 < difference < 10 * snr(chain, 1.0) * ratios(chain, data, GRID).sum()


@pytest.mark.thorough
def test_the_exact_trace_in_single_precision_in_inference_mode():
    grid = Grid((4,))
    chain = process("mollified", grid, SHORT)
    data = GaussianMeasure(None, squared_exponential(0.3, dim=1), WhiteNoise())
    x = states(chain, data, grid, 0.5)
    expected = gaussian_log_density(chain, data, x, 0.5, begun=snr(chain, 1.0))
    with torch.inference_mode():
        single = Function(x.on, x.values.float())
        found = log_likelihood(GaussianDenoiser(chain, data), single, time=0.5)
    assert found.dtype == torch.float64
    assert not found.requires_grad
    assert_close(found, expected, rtol=1e-4, atol=1e-3)
