"""The exact target, read back, gives the exact signal and noise; any reading explains the state."""

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    Identity,
    LinearSchedule,
    NoisePrediction,
    SignalPrediction,
    Subset,
    VelocityPrediction,
    as_denoiser,
    gaussian_mollifier,
)
from inftydiff.testing.strategies import processes, seeds

ALL = [NoisePrediction(), SignalPrediction(), CleanPrediction(), VelocityPrediction()]
GRID = Grid((5, 4))


def function(seed: int, scale: float = 1.0) -> Function:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(2, GRID.size, 3, generator=generator, dtype=torch.float64)
    return Function(GRID, scale * values)


def amplitudes(process: DiffusionProcess, t: torch.Tensor):
    return process.schedule.alpha(t), process.schedule.sigma(t)


def exact(process, predict, seed: int, t: torch.Tensor):
    """A state, its parts, and the denoiser of the network that gives the exact target."""
    clean, noise = function(seed), function(seed + 1)
    signal = process.signal(clean)
    alpha, sigma = amplitudes(process, t)
    target = predict.target(signal=signal, noise=noise, clean=clean, alpha=alpha, sigma=sigma)
    x_t = signal * alpha + noise * sigma
    return x_t, signal, noise, clean, lambda x, t: target


def close(found: Function, expected: Function, atol: float = 1e-9) -> None:
    torch.testing.assert_close(found.values, expected.values, rtol=0, atol=atol)


@pytest.mark.parametrize("predict", ALL)
@given(data=st.data(), times=st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)), seed=seeds())
def test_the_exact_target_reads_back(predict, data, times, seed: int):
    process = data.draw(processes(GRID))
    t = torch.tensor(times, dtype=torch.float64)
    x_t, signal, noise, clean, network = exact(process, predict, seed, t)
    prediction = as_denoiser(process, network, predict=predict)(x_t, t)
    close(prediction.signal, signal)
    close(prediction.noise, noise)
    if isinstance(predict, CleanPrediction):
        close(prediction.clean, clean, 0.0)
    else:
        assert prediction.clean is None


@pytest.mark.parametrize("predict", ALL)
@given(data=st.data(), time=st.floats(0.05, 0.95), seed=seeds())
def test_whatever_the_output_the_reading_explains_the_state(predict, data, time, seed: int):
    process = data.draw(processes(GRID))
    t = torch.full((2,), time, dtype=torch.float64)
    x_t, output = function(seed), function(seed + 1)
    prediction = as_denoiser(process, lambda x, t: output, predict=predict)(x_t, t)
    alpha, sigma = amplitudes(process, t)
    close(prediction.signal * alpha + prediction.noise * sigma, x_t)


@pytest.mark.parametrize("predict", ALL)
@given(data=st.data(), time=st.floats(0.05, 0.95), seed=seeds(), low=st.floats(-1.0, -0.1))
def test_clipping_clamps_what_is_estimated_and_derives_the_noise(predict, data, time, seed, low):
    process = data.draw(processes(GRID))
    t = torch.full((2,), time, dtype=torch.float64)
    x_t, output = function(seed), function(seed + 1, scale=2.0)
    clip = (low, 0.5)
    free = as_denoiser(process, lambda x, t: output, predict=predict)(x_t, t)
    clipped = as_denoiser(process, lambda x, t: output, predict=predict, clip=clip)(x_t, t)
    alpha, sigma = amplitudes(process, t)
    assert torch.equal(clipped.signal.values, free.signal.values.clamp(*clip))
    close(clipped.noise, (x_t - clipped.signal * alpha) * (1.0 / sigma))
    close(clipped.signal * alpha + clipped.noise * sigma, x_t)
    if isinstance(predict, CleanPrediction):
        assert free.clean is output
        assert torch.equal(clipped.clean.values, output.values.clamp(*clip))
    else:
        assert clipped.clean is None


@pytest.mark.parametrize("schedule", [CosineSchedule(), LinearSchedule()])
@pytest.mark.parametrize("predict", ALL)
def test_at_the_end_of_time_all_but_noise_prediction_keep_the_signal(schedule, predict):
    process = DiffusionProcess.mollified(schedule, gaussian_mollifier(0.1))
    t = torch.ones(2, dtype=torch.float64)
    x_t, signal, noise, _, network = exact(process, predict, 3, t)
    prediction = as_denoiser(process, network, predict=predict)(x_t, t)
    tolerance = 1e-9 if isinstance(predict, NoisePrediction) else 1e-12
    close(prediction.signal, signal, tolerance)
    close(prediction.noise, noise, 1e-12)


def test_v_is_alpha_noise_minus_sigma_signal():
    signal, noise = function(0), function(1)
    alpha, sigma = torch.tensor([0.8, 0.3]).double(), torch.tensor([0.6, 0.9]).double()
    v = VelocityPrediction().target(
        signal=signal, noise=noise, clean=function(2), alpha=alpha, sigma=sigma
    )
    expected = alpha[:, None, None] * noise.values - sigma[:, None, None] * signal.values
    torch.testing.assert_close(v.values, expected)


def test_the_network_is_given_the_state_and_times_in_its_dtype():
    process = DiffusionProcess.white(CosineSchedule())
    heard = []

    def network(x: Function, t: torch.Tensor) -> Function:
        heard.append((x, t))
        return x

    x_t = Function(GRID, torch.zeros(2, GRID.size, 1))
    t = torch.tensor([0.25, 0.75], dtype=torch.float64)
    prediction = as_denoiser(process, network, predict=NoisePrediction())(x_t, t)
    ((x, time),) = heard
    assert x is x_t
    assert time.dtype == torch.float32
    assert torch.equal(time.double(), t)
    assert prediction.signal.values.dtype == torch.float32


def test_the_clean_prediction_on_a_subset_needs_the_identity():
    subset = Subset(GRID, torch.tensor([3, 1, 7]))
    x_t = Function(subset, torch.zeros(1, 3, 1))
    t = torch.tensor([0.5])

    def network(x: Function, t: torch.Tensor) -> Function:
        return x

    mollified = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.1))
    denoiser = as_denoiser(mollified, network, predict=CleanPrediction())
    with pytest.raises(ValueError, match=r"on a Grid; got Subset.*first, then restrict"):
        denoiser(x_t, t)
    noise_only = DiffusionProcess.noise_only(CosineSchedule(), gaussian_mollifier(0.1))
    assert isinstance(noise_only.signal, Identity)
    prediction = as_denoiser(noise_only, network, predict=CleanPrediction())(x_t, t)
    assert prediction.signal.on == subset


@pytest.mark.parametrize("clip", [(1.0, -1.0), (0.5, 0.5)])
def test_bounds_out_of_order_are_refused(clip):
    process = DiffusionProcess.white(CosineSchedule())
    with pytest.raises(ValueError, match="clip takes two bounds, the lower first; got"):
        as_denoiser(process, lambda x, t: x, predict=NoisePrediction(), clip=clip)


@pytest.mark.parametrize("time", [-0.5, 1.5, float("nan")])
def test_times_outside_the_interval_are_refused(time: float):
    process = DiffusionProcess.white(CosineSchedule())
    denoiser = as_denoiser(process, lambda x, t: x, predict=NoisePrediction())
    with pytest.raises(ValueError, match=r"Times lie in \[0, 1\]"):
        denoiser(function(0), torch.tensor([0.5, time]))


def test_an_answer_on_other_points_is_refused():
    process = DiffusionProcess.white(CosineSchedule())
    elsewhere = Function(Grid((4, 5)), torch.zeros(2, 20, 3, dtype=torch.float64))
    denoiser = as_denoiser(process, lambda x, t: elsewhere, predict=NoisePrediction())
    with pytest.raises(ValueError, match="different discretisations"):
        denoiser(function(0), torch.tensor([0.5, 0.5]))


def test_an_answer_that_is_no_function_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    process = DiffusionProcess.white(CosineSchedule())
    denoiser = as_denoiser(process, lambda x, t: x.values, predict=NoisePrediction())
    with pytest.raises(TypeError, match="Function; got Tensor"):
        denoiser(function(0), torch.tensor([0.5, 0.5]))
