"""The exact denoiser of Gaussian data is the conditional mean of signal, noise and data.

It is held against dense conditioning on grids of every kind, on subsets and at scattered points,
with all modes of the functions in the covariances.
"""

import pytest
import torch
from dense_oracles import conditional, joint, points_of, process_and_data, state
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.processes import Blurring
from inftydiff.processes.schedules import FlowMatchingSchedule, VarianceExplodingSchedule
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.strategies import grids, seeds

ANY = grids(most_dim=3, most=27, fewest=1, boundaries=BOUNDARIES)


def held(prediction, law, x_t: Function, alpha, sigma, *, tolerance: float = 1e-9) -> None:
    """The prediction is the dense one, in units of what values of one in the state can become."""
    expected = conditional(law, x_t.values, alpha, sigma)
    scale = x_t.values.abs().max().item()
    parts = ((prediction.signal, alpha), (prediction.noise, sigma), (prediction.clean, alpha))
    for (found, amplitude), value in zip(parts, expected, strict=True):
        size = max(value.abs().max().item(), scale / amplitude.item())
        torch.testing.assert_close(found.values, value, rtol=0, atol=tolerance * size)


@pytest.mark.thorough
@given(data=st.data(), grid=ANY, time=st.floats(0.05, 0.95), seed=seeds())
def test_on_a_grid(data, grid: Grid, time: float, seed: int):
    process, law = process_and_data(data, grid)
    t = torch.full((2,), time, dtype=torch.float64)
    x_t = state(grid, 2, 3, seed)
    alpha, sigma = process.schedule.alpha(t)[0], process.schedule.sigma(t)[0]
    dense = joint(process, law, process.signal, grid)
    held(GaussianDenoiser(process, law)(x_t, t), dense, x_t, alpha, sigma)


@pytest.mark.thorough
@given(data=st.data(), grid=ANY, time=st.floats(0.05, 0.95), seed=seeds())
def test_on_some_points_of_a_grid(data, grid: Grid, time: float, seed: int):
    process, law = process_and_data(data, grid)
    generator = torch.Generator().manual_seed(seed)
    size = data.draw(st.integers(1, grid.size))
    subset = Subset(grid, torch.randperm(grid.size, generator=generator)[:size])
    t = torch.full((2,), time, dtype=torch.float64)
    x_t = state(subset, 2, 3, seed)
    alpha, sigma = process.schedule.alpha(t)[0], process.schedule.sigma(t)[0]
    dense = joint(process, law, process.signal, subset)
    held(GaussianDenoiser(process, law)(x_t, t), dense, x_t, alpha, sigma)


@pytest.mark.thorough
@given(
    seed=seeds(),
    size=st.integers(1, 6),
    boundary=st.sampled_from(BOUNDARIES),
    mollified=st.booleans(),
)
def test_at_scattered_points(seed: int, size: int, boundary: str, mollified: bool):
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(size, 2, generator=generator, dtype=torch.float64)
    points = 0.1 + 0.2 * points + 0.6 * torch.arange(size).unsqueeze(-1) / size
    on = Scattered(points, domain=Box((1.0, 1.0), boundary))
    T, N = gaussian_mollifier(0.06), gaussian_mollifier(0.05)
    process = DiffusionProcess(
        CosineSchedule(),
        signal=T if mollified else Identity(),
        noise_factor=N,
        noise=WhiteNoise(0.3),
    )
    law = GaussianMeasure(None, gaussian_mollifier(0.08), WhiteNoise(0.5))
    times = torch.tensor([0.3, 0.8, 0.3], dtype=torch.float64)
    x_t = state(on, 3, 2, seed)
    prediction = GaussianDenoiser(process, law)(x_t, times)
    dense = joint(process, law, process.signal, on)
    for i, t in enumerate(times):
        alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
        expected = conditional(dense, x_t.values[i], alpha, sigma)
        found = (prediction.signal, prediction.noise, prediction.clean)
        for f, value in zip(found, expected, strict=True):
            torch.testing.assert_close(f.values[i], value, rtol=1e-7, atol=1e-7)


def test_one_set_of_points_a_sample_is_each_sample_s_own():
    grid, T = Grid((5, 4)), gaussian_mollifier(0.1)
    process = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.3))
    denoiser = GaussianDenoiser(
        process, GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise())
    )
    index = torch.tensor([[3, 0, 7], [11, 5, 19]])
    t = torch.tensor([0.4, 0.7], dtype=torch.float64)
    for whole in (Subset(grid, index), Scattered(grid.points[index])):
        x_t = Function(whole, state(Subset(grid, index), 2, 1, 0).values)
        together = denoiser(x_t, t)
        for i in range(2):
            own = (
                Subset(grid, index[i]) if isinstance(whole, Subset) else Scattered(whole.points[i])
            )
            alone = denoiser(Function(own, x_t.values[i : i + 1]), t[i : i + 1])
            for name in ("signal", "noise", "clean"):
                found = getattr(together, name).values[i]
                torch.testing.assert_close(found, getattr(alone, name).values[0])


@pytest.mark.thorough
@given(grid=ANY, time=st.floats(0.05, 0.95), seed=seeds())
def test_all_points_of_a_grid_are_the_grid_however_they_are_given(
    grid: Grid, time: float, seed: int
):
    T = gaussian_mollifier(0.5 * min(grid.spacing))
    process = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.4))
    denoiser = GaussianDenoiser(process, GaussianMeasure(None, T, WhiteNoise()))
    t = torch.full((1,), time, dtype=torch.float64)
    x_t = state(grid, 1, 2, seed)
    expected = denoiser(x_t, t)
    for on in (Subset(grid, torch.arange(grid.size)), points_of(grid)):
        found = denoiser(Function(on, x_t.values), t)
        for name in ("signal", "noise", "clean"):
            value = getattr(expected, name).values
            scale = value.abs().max().item()
            torch.testing.assert_close(
                getattr(found, name).values, value, rtol=0, atol=1e-8 * scale
            )


@pytest.mark.parametrize(
    "schedule",
    [VarianceExplodingSchedule(), FlowMatchingSchedule()],
    ids=lambda s: type(s).__name__,
)
def test_every_schedule_and_the_point(schedule):
    on = Grid((), Point())
    process = DiffusionProcess.white(schedule, noise=WhiteNoise(0.5))
    denoiser = GaussianDenoiser(process, GaussianMeasure(None, 3.0 * Identity(), WhiteNoise(0.5)))
    t = torch.tensor([0.0, 0.2, 0.9, 1.0], dtype=torch.float64)
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    prediction = denoiser(Function(on, torch.ones(4, 1, 1, dtype=torch.float64)), t)
    total = 9.0 * alpha**2 + sigma**2
    torch.testing.assert_close(prediction.signal.values.flatten(), 9.0 * alpha / total)
    torch.testing.assert_close(prediction.noise.values.flatten(), sigma / total)
    torch.testing.assert_close(prediction.clean.values.flatten(), 9.0 * alpha / total)


@pytest.mark.thorough
@given(grid=ANY, seed=seeds())
def test_an_operator_that_changes_with_time_acts_on_the_data_as_the_grid_reads_them(
    grid: Grid, seed: int
):
    family = Blurring(width=0.3)
    process = DiffusionProcess.blurring(CosineSchedule(), family, noise=WhiteNoise(0.4))
    factor = gaussian_mollifier(0.4 * min(grid.spacing))
    law = GaussianMeasure(None, factor, WhiteNoise())
    t = torch.tensor([0.2, 0.7], dtype=torch.float64)
    x_t = state(grid, 2, 2, seed)
    prediction = GaussianDenoiser(process, law)(x_t, t)
    clean = joint(process, law, Identity(), grid).signal
    basis = eigenbasis(grid.domain)
    spectrum = basis.eigenvalues(grid.shape)
    eye = torch.eye(grid.size, dtype=torch.float64).reshape(grid.size, *grid.shape)
    modes = basis.synthesis(eye).reshape(grid.size, grid.size)
    half = Subset(grid, torch.arange(0, grid.size, 2))
    on_half = GaussianDenoiser(process, law)(x_t.restrict(half), t)
    for i in range(2):
        factors = family.multiplier(t[i : i + 1])(spectrum).flatten()
        S = modes.mT @ (factors.unsqueeze(-1) * modes)
        V = 0.4**2 / grid.cell_volume * torch.eye(grid.size, dtype=torch.float64)
        alpha, sigma = process.schedule.alpha(t[i]), process.schedule.sigma(t[i])
        weights = torch.linalg.solve(alpha**2 * S @ clean @ S.mT + sigma**2 * V, x_t.values[i])
        for found, expected in (
            (prediction.signal, alpha * S @ clean @ S.mT @ weights),
            (prediction.noise, sigma * V @ weights),
            (prediction.clean, alpha * clean @ S.mT @ weights),
        ):
            torch.testing.assert_close(found.values[i], expected, rtol=1e-8, atol=1e-8)
        rows = torch.eye(grid.size, dtype=torch.float64)[::2]
        total = rows @ (alpha**2 * S @ clean @ S.mT + sigma**2 * V) @ rows.mT
        weights = torch.linalg.solve(total, rows @ x_t.values[i])
        expected = alpha * rows @ S @ clean @ S.mT @ rows.mT @ weights
        torch.testing.assert_close(on_half.signal.values[i], expected, rtol=1e-8, atol=1e-8)


def test_what_has_no_law_is_noise_and_the_parts_explain_the_state():
    """States with modes that neither data nor noise have, on a grid and at a point given twice."""
    T = gaussian_mollifier(0.5)
    process = DiffusionProcess.mollified(CosineSchedule(), T)
    denoiser = GaussianDenoiser(process, GaussianMeasure(None, T, WhiteNoise()))
    twice = Scattered(torch.tensor([[0.3], [0.3], [0.8]], dtype=torch.float64))
    t = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
    for on in (Grid((64,)), twice):
        x_t = state(on, 3, 1, 0)
        said = denoiser(x_t, t)
        explained = said.signal * alpha + said.noise * sigma
        torch.testing.assert_close(explained.values, x_t.values, rtol=0, atol=1e-10)
    torch.testing.assert_close(said.signal.values[1, 0], said.signal.values[1, 1])


def test_the_dtype_is_that_of_the_states():
    process = DiffusionProcess.white(CosineSchedule())
    denoiser = GaussianDenoiser(
        process, GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
    )
    grid = Grid((6,))
    for on in (grid, Subset(grid, torch.tensor([1, 4]))):
        x_t = Function(on, torch.ones(1, on.size, 1))
        said = denoiser(x_t, torch.tensor([0.5]))
        exact = denoiser(Function(on, x_t.values.double()), torch.tensor([0.5]))
        for name in ("signal", "noise", "clean"):
            assert getattr(said, name).values.dtype == torch.float32
            torch.testing.assert_close(
                getattr(said, name).values.double(), getattr(exact, name).values
            )
