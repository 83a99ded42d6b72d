"""Each guide's estimate is its formula, written out in matrices for data with a known denoiser.

On a grid all weights are equal, so the adjoint of a derivative is its transpose; the covariance C
as an operator is the matrix of the values' covariance times the weight.
"""

import pytest
import torch
from functions import seeds, values
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from inftydiff import (
    DPS,
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    MomentMatching,
    Observation,
    PiGDM,
    ReconstructionGuidance,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
    guided,
    known_signal,
    point_values,
    wiener_inverse,
)
from inftydiff.processes.guidance import Linearisation, noise_covariance
from inftydiff.testing import GaussianDenoiser, MixtureDenoiser
from inftydiff.testing.dense import matrix_of
from inftydiff.testing.posterior import functionals_matrix

GRID = Grid((4, 3), Box((1.0, 0.8), ("reflecting", "periodic")))
CELL = GRID.cell_volume
T, WIDE = gaussian_mollifier(0.12), gaussian_mollifier(0.2)
WIENER = wiener_inverse(T, noise_to_signal=0.1) * (1.0 + 0.1**2)
PROCESS = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.3))
DATA = GaussianMeasure(None, WIDE, WhiteNoise(0.8))
POINTS = Scattered(torch.tensor([[0.2, 0.3], [0.7, 0.1], [0.5, 0.75]]), domain=GRID.domain)
READS = point_values(POINTS, on=GRID)
NOISE = 0.2

few = settings(max_examples=5)
"""The derivatives of the oracles take a while."""


def data(kind: str):
    """The exact denoiser of a Gaussian, or of a mixture."""
    if kind == "gaussian":
        return GaussianDenoiser(PROCESS, DATA)
    up = Function(GRID, torch.ones(GRID.size, 1, dtype=torch.float64))
    parts = [GaussianMeasure(up * sign, WIDE, WhiteNoise(0.5)) for sign in (0.4, -0.4)]
    return MixtureDenoiser(PROCESS, (0.4, 0.6), parts)


def setting(seed: int, batch: int = 2) -> tuple[Function, Tensor, Observation]:
    generator = torch.Generator().manual_seed(seed)
    t = 0.1 + 0.85 * torch.rand(batch, generator=generator, dtype=torch.float64)
    x_t = Function(GRID, 0.5 * values(seed, batch, GRID.size, 1))
    return x_t, t, Observation(READS, values(seed + 1, 3, 1), NOISE, WIENER)


class Dense:
    """The matrices of one sample: the derivative, C, the map B, and the vectors m and r."""

    def __init__(self, denoiser, x_t: Function, t: Tensor, seen: Observation) -> None:
        def signal(v: Tensor) -> Tensor:
            return denoiser(Function(GRID, v.reshape(1, -1, 1)), t).signal.values.flatten()

        v = x_t.values.flatten()
        self.x, self.m = v, signal(v)
        self.J = torch.autograd.functional.jacobian(signal, v)
        noise = GaussianMeasure(None, PROCESS.noise_factor, PROCESS.noise)
        self.C = noise.covariance(GRID) * CELL
        self.B = functionals_matrix(seen.reads) @ matrix_of(seen.deconvolve, GRID)[0]
        self.r = seen.values.flatten() - self.B @ self.m
        self.alpha, self.sigma = PROCESS.schedule.alpha(t), PROCESS.schedule.sigma(t)
        self.V = self.sigma**2 / self.alpha * self.J @ self.C  # an operator, like C
        self.noise = torch.eye(len(self.r), dtype=torch.float64) * seen.noise_std**2

    def moved(self, z: Tensor) -> Tensor:
        """M + (σ²/α) C Jᵗ B* z, with B* = Bᵗ/weight."""
        return self.m + self.sigma**2 / self.alpha * self.C @ self.J.mT @ self.B.mT @ z / CELL


def each(kind: str, seed: int, guide, formula, seen: Observation | None = None) -> None:
    denoiser = data(kind)
    x_t, t, default = setting(seed)
    seen = default if seen is None else seen
    found = guided(guide, denoiser, seen)(x_t, t)
    for i in range(len(t)):
        one = Function(GRID, x_t.values[i : i + 1])
        dense = Dense(denoiser, one, t[i : i + 1], seen)
        expected = dense.moved(formula(dense))
        torch.testing.assert_close(found.signal.values[i].flatten(), expected, rtol=1e-6, atol=1e-6)
    alpha, sigma = PROCESS.schedule.alpha(t), PROCESS.schedule.sigma(t)
    again = found.signal * alpha + found.noise * sigma
    torch.testing.assert_close(again.values, x_t.values)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["gaussian", "mixture"])
@few
@given(seed=seeds)
def test_moment_matching(kind, seed):
    def formula(d: Dense) -> Tensor:
        return torch.linalg.solve(d.noise + d.B @ d.V @ d.B.mT / CELL, d.r)

    each(kind, seed, MomentMatching(iterations=20, tolerance=1e-12), formula)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["gaussian", "mixture"])
@few
@given(seed=seeds)
def test_pseudoinverse_guidance(kind, seed):
    def formula(d: Dense) -> Tensor:
        share = d.sigma**2 / (d.alpha**2 + d.sigma**2)
        return torch.linalg.solve(d.noise + share * d.B @ d.C @ d.B.mT / CELL, d.r)

    each(kind, seed, PiGDM(tolerance=1e-12), formula)


@pytest.mark.thorough
@few
@given(seed=seeds, strength=st.floats(0.0, 0.5))
def test_diffusion_posterior_sampling(seed, strength):
    def formula(d: Dense) -> Tensor:
        return strength / NOISE * d.r / d.r.norm()

    each("mixture", seed, DPS(strength), formula)


@pytest.mark.thorough
@few
@given(seed=seeds, strength=st.floats(0.0, 0.5))
def test_reconstruction_guidance(seed, strength):
    mask = torch.rand(GRID.size, generator=torch.Generator().manual_seed(seed)) < 0.6
    mask[3] = True
    known = Function(GRID, values(seed, GRID.size, 1))
    seen = known_signal(PROCESS, known, mask, coverage=0.0)

    def formula(d: Dense) -> Tensor:
        scale = strength * (d.alpha / d.sigma) ** 2 / PROCESS.noise.intensity**2
        return scale * CELL * d.r

    each("mixture", seed, ReconstructionGuidance(strength), formula, seen)


def test_reconstruction_guidance_with_unit_white_noise_is_that_of_ho():
    process = DiffusionProcess.white(CosineSchedule(), noise=WhiteNoise(CELL**0.5))
    oracle = GaussianDenoiser(process, DATA)
    x_t, t, _ = setting(0)
    mask = torch.arange(GRID.size) < 6
    known = Function(GRID, values(3, GRID.size, 1))
    found = guided(ReconstructionGuidance(0.7), oracle, known_signal(process, known, mask))
    state = x_t.values.clone().requires_grad_()
    estimate = oracle(Function(GRID, state), t).signal.values
    loss = (known.values - estimate)[:, mask].square().sum()
    (slope,) = torch.autograd.grad(loss, state)
    alpha = process.schedule.alpha(t).reshape(-1, 1, 1)
    expected = (estimate - 0.7 * alpha / 2 * slope).detach()
    torch.testing.assert_close(found(x_t, t).signal.values, expected)


@few
@given(seed=seeds)
def test_the_covariance_by_pullbacks_is_the_one_by_pushforwards(seed):
    """V = (σ²/α) C J* = (σ²/α) J C, for an exact posterior mean."""
    x_t, t, seen = setting(seed)
    denoiser = data("mixture")
    at = Linearisation(denoiser, seen, noise_covariance(PROCESS, GRID), x_t, t)
    z = values(seed + 2, 2, 3, 1)
    pulled = at.read(at.shift(at.pullback(z)))

    def reading(v: Tensor) -> Tensor:
        return seen.read(denoiser(Function(GRID, v), t))

    direction = at.shift(at.read_back(z)).values
    _, pushed = torch.autograd.functional.jvp(reading, x_t.values, direction)
    torch.testing.assert_close(pulled, pushed, rtol=1e-6, atol=1e-8)
    assert bool(((pulled * z).sum((-2, -1)) > 0).all())


@few
@given(seed=seeds)
def test_it_is_the_covariance_of_the_posterior(seed):
    """For Gaussian data: P - α² P (α² P + σ² V)⁻¹ P, as the matrices of values."""
    x_t, t, seen = setting(seed, batch=1)
    dense = Dense(data("gaussian"), x_t, t, seen)
    P = DATA.pushforward(T).covariance(GRID)
    C = dense.C / CELL
    total = dense.alpha**2 * P + dense.sigma**2 * C
    expected = P - dense.alpha**2 * P @ torch.linalg.solve(total, P)
    torch.testing.assert_close(dense.V / CELL, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("guide", [MomentMatching(30, 1e-12), PiGDM(tolerance=1e-12), DPS(0.5)])
def test_a_linear_map_given_as_a_callable_is_the_same(guide):
    x_t, t, seen = setting(5)
    as_callable = Observation(lambda f: READS(f), seen.values, NOISE, WIENER)
    one, other = (guided(guide, data("mixture"), o)(x_t, t) for o in (seen, as_callable))
    torch.testing.assert_close(one.signal.values, other.signal.values)


def test_a_map_that_is_not_linear_is_linearised_at_the_estimate():
    x_t, t, seen = setting(5, batch=1)
    denoiser = data("gaussian")

    def reads(f: Function) -> Tensor:
        return READS(f).sin()

    curved = Observation(reads, seen.values, NOISE, WIENER)
    found = guided(MomentMatching(30, 1e-12), denoiser, curved)(x_t, t)
    d = Dense(denoiser, x_t, t, seen)
    slope = (d.B @ d.m).cos().unsqueeze(-1) * d.B
    r = seen.values.flatten() - (d.B @ d.m).sin()
    z = torch.linalg.solve(d.noise + slope @ d.V @ slope.mT / CELL, r)
    expected = d.m + d.sigma**2 / d.alpha * d.C @ d.J.mT @ slope.mT @ z / CELL
    torch.testing.assert_close(found.signal.values.flatten(), expected)


def test_no_strength_is_no_guidance():
    x_t, t, seen = setting(1)
    plain = data("mixture")(x_t, t)
    found = guided(DPS(0.0), data("mixture"), seen)(x_t, t)
    torch.testing.assert_close(found.signal.values, plain.signal.values)
    torch.testing.assert_close(found.noise.values, plain.noise.values)


def test_the_clean_estimate_moves_by_what_the_signal_moves():
    x_t, t, seen = setting(1)
    denoiser = data("gaussian")
    plain, found = denoiser(x_t, t), guided(DPS(0.5), denoiser, seen)(x_t, t)
    expected = plain.clean + WIENER(found.signal - plain.signal)
    torch.testing.assert_close(found.clean.values, expected.values)
