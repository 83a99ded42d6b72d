"""InftyDiff's loss, samples and deconvolution are those of the public functions it is made from."""

import dataclasses

import pytest
import torch
from networks import randomised

from inftydiff import (
    DDIM,
    DDPM,
    Box,
    DiffusionProcess,
    Function,
    Grid,
    Prediction,
    as_denoiser,
    denoising_loss,
    gaussian_mollifier,
    sample,
    timesteps,
    wiener_inverse,
)
from inftydiff.operators.subsets import random_subset
from inftydiff.pipelines import InftyDiff, preset, range_projection
from inftydiff.processes import CallableDenoiser, MollifiedProcess, NoiseOnlyProcess, WhiteProcess

GRID = Grid((16, 16))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def model(**changes) -> InftyDiff:
    return randomised(InftyDiff(dataclasses.replace(preset("tiny", resolution=16), **changes)))


def functions(batch: int = 2, grid: Grid = GRID) -> Function:
    values = torch.randn(batch, grid.size, 3, generator=seeded(5), dtype=torch.float64)
    return Function(grid, values.tanh())


@pytest.mark.parametrize("process", [MollifiedProcess(), WhiteProcess(), NoiseOnlyProcess()])
def test_the_loss(process):
    pipeline, x0 = model(process=process), functions()
    t = torch.tensor([0.2, 0.9], dtype=torch.float64)
    at = random_subset(GRID, 64, batch=2, generator=seeded())
    expected = denoising_loss(
        as_denoiser(pipeline.process, pipeline.network, predict=pipeline.predict),
        x0,
        t,
        at=at,
        generator=seeded(1),
    )
    assert torch.equal(pipeline.loss(x0, t, at=at, generator=seeded(1)), expected)


def test_functions_on_another_domain_are_refused():
    x0 = Function.from_image(torch.zeros(1, 3, 8, 16))
    with pytest.raises(ValueError, match="functions live on Box"):
        model().loss(x0, torch.tensor([0.5]), generator=seeded())


@pytest.mark.parametrize("solver", [DDIM(), DDIM(0.5), DDPM()])
def test_samples(solver):
    pipeline, times = model(clip=(-0.5, 0.5), noise_to_signal=0.2, range_floor=None), timesteps(3)
    denoiser = as_denoiser(
        pipeline.process, pipeline.network, predict=pipeline.predict, clip=(-0.5, 0.5)
    )
    g = seeded()
    start = pipeline.start(on=GRID, batch=2, generator=g)
    expected = sample(
        solver,
        denoiser,
        on=GRID,
        times=times,
        batch=2,
        channels=3,
        generator=g,
        start=start,
    )
    drawn = pipeline.sample(
        on=GRID, batch=2, generator=seeded(), solver=solver, times=times, deconvolve=False
    )
    assert torch.equal(drawn.values, expected.values)
    clear = pipeline.sample(on=GRID, batch=2, generator=seeded(), solver=solver, times=times)
    undone = (wiener_inverse(pipeline.process.signal, noise_to_signal=0.2) * 1.04)(expected)
    assert torch.allclose(clear.values, undone.values, atol=1e-12)
    last = [*pipeline.trajectory(on=GRID, batch=2, generator=seeded(), solver=solver, times=times)][
        -1
    ]
    assert torch.equal(last.x.values, expected.values)


def test_a_batch_begins_with_a_smaller_one():
    pipeline = model()
    few, many = (
        pipeline.sample(on=GRID, batch=batch, generator=seeded(), times=timesteps(2)).values
        for batch in (1, 3)
    )
    assert torch.allclose(few, many[:1], atol=1e-10)


def test_the_mode_is_left_as_it_was():
    pipeline = model().train()
    pipeline.sample(on=GRID, batch=1, generator=seeded(), times=timesteps(1))
    assert pipeline.training
    assert pipeline.network.training


def test_starts_take_the_type_of_the_network():
    pipeline = InftyDiff(preset("tiny", resolution=16))
    assert pipeline.start(on=GRID, batch=1, generator=seeded()).values.dtype == torch.float32
    start = pipeline.double().start(on=GRID, batch=1, generator=seeded())
    assert start.values.dtype == torch.float64


def test_one_seed_is_one_function_on_every_grid():
    pipeline = model()
    coarse, fine = Grid((9, 9)), Grid((27, 27))
    a, b = (pipeline.start(on=on, batch=1, generator=seeded()).to_image() for on in (coarse, fine))
    assert torch.allclose(a, b[..., 1::3, 1::3], atol=1e-9)


@pytest.mark.parametrize("ratio", [0.05, 0.5])
def test_deconvolution_keeps_constants(ratio):
    constant = Function(GRID, torch.full((1, GRID.size, 3), 0.7, dtype=torch.float64))
    assert torch.allclose(
        model(noise_to_signal=ratio).deconvolve(constant).values, constant.values, atol=1e-12
    )


def test_data_that_are_not_mollified_are_not_deconvolved():
    x = functions()
    assert model(process=WhiteProcess()).deconvolve(x) is x


def test_range_projection_multiplies_by_the_regularised_range():
    pipeline = model()
    T, floor = pipeline.process.signal, 0.3
    plain = as_denoiser(pipeline.process, pipeline.network, predict=pipeline.predict)
    x_t, t = functions(), torch.tensor([0.3, 0.8], dtype=torch.float64)
    with torch.no_grad():
        before = plain(x_t, t)
        after = range_projection(plain, floor=floor)(x_t, t)
    # P = (1 + ρ²) G²/(G² + ρ²) is the solution of (T² + ρ²) P y = (1 + ρ²) T² y.
    left = T(T(after.signal)) + after.signal * floor**2
    right = T(T(before.signal)) * (1 + floor**2)
    assert torch.allclose(left.values, right.values, atol=1e-12)
    schedule = pipeline.process.schedule
    again = after.signal * schedule.alpha(t) + after.noise * schedule.sigma(t)
    assert torch.allclose(again.values, x_t.values, atol=1e-12)


def test_range_projection_keeps_constants():
    pipeline, x_t = model(), functions()
    ones = Function(x_t.on, torch.ones_like(x_t.values))
    same = range_projection(
        CallableDenoiser(pipeline.process, lambda x, t: Prediction(ones, x_t)), floor=0.3
    )(x_t, torch.tensor([0.3, 0.8], dtype=torch.float64))
    assert torch.allclose(same.signal.values, ones.values, atol=1e-12)


def test_range_projection_is_taken_from_the_configuration():
    with_floor, without = model(range_floor=0.5), model(range_floor=None)
    x_t, t = functions(), torch.tensor([0.3, 0.8], dtype=torch.float64)
    with torch.no_grad():
        expected = range_projection(without.denoiser(), floor=0.5)(x_t, t)
        assert torch.equal(with_floor.denoiser()(x_t, t).signal.values, expected.signal.values)
        plain = without.denoiser()(x_t, t)
    assert not torch.allclose(plain.signal.values, expected.signal.values)


def test_data_that_are_not_mollified_are_not_projected():
    x_t, t = functions(), torch.tensor([0.3, 0.8], dtype=torch.float64)
    floors = (0.5, None)
    a, b = (model(process=WhiteProcess(), range_floor=floor).denoiser()(x_t, t) for floor in floors)
    assert torch.equal(a.signal.values, b.signal.values)


def test_range_projection_needs_a_mollifier():
    white = DiffusionProcess.white(model().process.schedule)
    with pytest.raises(TypeError, match="spectral"):
        range_projection(CallableDenoiser(white, lambda x, t: None))
    with pytest.raises(ValueError, match="floor"):
        range_projection(
            CallableDenoiser(
                DiffusionProcess.mollified(white.schedule, gaussian_mollifier(0.1)),
                lambda x, t: None,
            ),
            floor=0.0,
        )


def test_grids_have_the_proportions_of_the_domain():
    pipeline = model(domain=Box((0.75, 1.0)))
    assert pipeline.grid(64).shape == (48, 64)
    assert pipeline.grid(64).domain.lengths == (0.75, 1.0)
    assert pipeline.grid((10, 20)).shape == (10, 20)
    with pytest.raises(ValueError, match="at least 1"):
        pipeline.grid(0)
