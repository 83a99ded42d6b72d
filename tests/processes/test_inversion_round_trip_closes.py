"""Up and down again a function is where it was: to 10⁻³ in 200 steps, and at the solver's order.

DDIM's rule upward loses in each mode the cosines of its angles twice; the trapezoidal rule an error
of second order; the fixed point what the tolerance and the first step leave.
"""

import math
from collections.abc import Iterator
from functools import cache

import jaxtyping
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_runs import ModeDenoiser, coefficients

from inftydiff import (
    Blurring,
    CosineSchedule,
    DDIMInversion,
    DiffusionProcess,
    FixedPointInversion,
    Function,
    GaussianMeasure,
    Grid,
    Heun,
    HeunInversion,
    WhiteNoise,
    gaussian_mollifier,
    matern,
    recommended_timesteps,
    round_trip,
    timesteps,
)
from inftydiff.processes import CallableDenoiser
from inftydiff.testing import GaussianDenoiser, MixtureDenoiser

GRID = Grid((12,))
COSINE = CosineSchedule()
T = gaussian_mollifier(1 / 12)
MOLLIFIED = DiffusionProcess.mollified(COSINE, T, noise=WhiteNoise(12**-0.5))
BLURRING = DiffusionProcess.blurring(COSINE, Blurring(0.1), noise=WhiteNoise(12**-0.5))
ROUGH = GaussianMeasure(None, matern(1.5, 0.3, dim=1), WhiteNoise())
ONE = Function(GRID, torch.ones(1, GRID.size, 1, dtype=torch.float64))
CLOSING = [HeunInversion(), FixedPointInversion(), FixedPointInversion(Heun())]
ALL = [DDIMInversion(), *CLOSING]


@pytest.fixture(autouse=True, scope="module")
def _as_shipped() -> Iterator[None]:
    """Without the run-time type checks of the tests, which make thousands of calls slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)
        yield


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixture(process: DiffusionProcess) -> MixtureDenoiser:
    smooth = T @ matern(1.5, 0.3, dim=1)
    parts = [GaussianMeasure(sign * ONE, smooth, WhiteNoise(0.4)) for sign in (1.0, -1.0)]
    return MixtureDenoiser(process, (0.3, 0.7), parts)


@cache
def oracle(kind: str):
    if kind == "mixture":
        return mixture(MOLLIFIED)
    return GaussianDenoiser(BLURRING if kind == "blurring" else MOLLIFIED, ROUGH)


def data(denoiser, seed: int = 0, batch: int = 2) -> Function:
    """States at t = 0."""
    x0 = denoiser.sample_data(GRID, batch=batch, channels=1, generator=generator(seed))
    x0 = Function(GRID, x0.values.double())
    return denoiser.process.signal_at(torch.zeros(batch, dtype=torch.float64))(x0)


@pytest.mark.parametrize(
    ("inversion", "kind"),
    [
        (HeunInversion(), "gaussian"),
        (HeunInversion(), "mixture"),
        (FixedPointInversion(), "gaussian"),
        pytest.param(FixedPointInversion(), "mixture", marks=pytest.mark.slow),
        pytest.param(HeunInversion(), "blurring", marks=pytest.mark.slow),
        pytest.param(FixedPointInversion(), "blurring", marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_two_hundred_steps_close_to_a_thousandth(inversion, kind: str):
    denoiser = oracle(kind)
    times = recommended_timesteps(200, inversion.solver, COSINE)
    trip = round_trip(inversion, denoiser, data(denoiser), times=times)
    assert trip.error.max() < 1e-3


def inside(inversion, denoiser, n: int) -> float:
    """The error between times with noise at both ends."""
    times = timesteps(n, spacing="log_snr", schedule=COSINE, start=0.95, end=0.05)
    trip = round_trip(inversion, denoiser, data(denoiser), times=times)
    return trip.error.max().item()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["gaussian", "mixture", "blurring"])
@pytest.mark.parametrize(("inversion", "order"), [(DDIMInversion(), 1), (HeunInversion(), 2)])
def test_the_order(inversion, order: int, kind: str):
    few, many = (inside(inversion, oracle(kind), n) for n in (40, 80))
    assert math.log2(few / many) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("kind", ["gaussian", "mixture", "blurring"])
@pytest.mark.parametrize("inversion", [FixedPointInversion(tolerance=1e-12, iterations=60)])
def test_the_fixed_point_is_exact_with_few_steps(inversion, kind: str):
    assert inside(inversion, oracle(kind), 8) < 1e-9


@settings(deadline=None, max_examples=15)
@given(n=st.integers(1, 12), seed=st.integers(0, 2**20), power=st.floats(-3, 3))
def test_ddim_loses_the_cosines_of_its_angles_twice(n: int, seed: int, power: float):
    ratios = 10.0 ** (power + torch.rand(GRID.shape, generator=generator(seed)).double())
    denoiser = ModeDenoiser(MOLLIFIED, ratios, torch.ones(GRID.shape, dtype=torch.float64))
    x = data(oracle("gaussian"), seed)
    times = timesteps(n, start=0.97, end=0.02)
    trip = round_trip(DDIMInversion(), CallableDenoiser(MOLLIFIED, denoiser), x, times=times)
    tangent = (COSINE.sigma(times) / COSINE.alpha(times)).reshape(-1, 1) / ratios.sqrt()
    kept = tangent.atan().diff(dim=0).cos().prod(0) ** 2
    assert torch.allclose(coefficients(trip.decoded), coefficients(x) * kept, atol=1e-10)


def test_no_spacing_loses_less_than_equal_angles():
    P = 3.0
    lost = []
    for n in (50, 200):
        angle = torch.linspace(math.pi / 2, 0.0, n + 1, dtype=torch.float64)
        lost.append(1.0 - angle.diff().cos().prod().item() ** 2)
        for spacing in ("angle", "karras", "log_snr"):
            times = timesteps(n, spacing=spacing, schedule=COSINE)
            ratio = COSINE.sigma(times) / COSINE.alpha(times) / P**0.5
            assert 1.0 - ratio.atan().diff().cos().prod().item() ** 2 > lost[-1]
    assert lost[1] == pytest.approx(math.pi**2 / 4 / 200, rel=0.01)
    assert lost[1] > 0.01


@pytest.mark.parametrize("inversion", ALL, ids=repr)
def test_without_noise_the_first_state_is_the_amplitude_times_the_function(inversion):
    asked = []

    def denoiser(x_t, t):
        asked.append(t)
        return oracle("gaussian")(x_t, t)

    x, s, t = data(oracle("gaussian")), torch.zeros(2).double(), torch.tensor([1e-3, 0.2]).double()
    found = inversion.inversion_step(CallableDenoiser(MOLLIFIED, denoiser), x, s, t)
    if isinstance(inversion, HeunInversion):
        assert len(asked) == 1
        assert torch.equal(asked[0], t)
    else:
        assert not asked
        assert torch.allclose(found.values, (x * COSINE.alpha(t)).values)


@pytest.mark.parametrize("inversion", ALL, ids=repr)
def test_samples_may_have_times_of_their_own(inversion):
    denoiser, x = oracle("gaussian"), data(oracle("gaussian"), batch=3)
    s, t = torch.tensor([0.0, 0.1, 0.4]).double(), torch.tensor([0.01, 0.2, 0.41]).double()
    together = inversion.inversion_step(CallableDenoiser(MOLLIFIED, denoiser), x, s, t).values
    for i in range(3):
        alone = Function(GRID, x.values[i : i + 1])
        found = inversion.inversion_step(
            CallableDenoiser(MOLLIFIED, denoiser), alone, s[i : i + 1], t[i : i + 1]
        )
        assert torch.allclose(found.values[0], together[i], atol=1e-9)
