"""Guides take any network, in any precision and gradient mode, and each sample for itself."""

import pytest
import torch
from functions import values

from inftydiff import (
    DDIM,
    DPS,
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    DPMSolverPP,
    EulerMaruyama,
    Function,
    Grid,
    Heun,
    MomentMatching,
    Observation,
    PiGDM,
    Scattered,
    SignalPrediction,
    UniPC,
    WhiteNoise,
    as_denoiser,
    gaussian_mollifier,
    guided,
    point_values,
    sample,
    timesteps,
    wiener_inverse,
)
from inftydiff.pipelines import InftyDiff, preset
from inftydiff.processes import CallableDenoiser, classifier_free

GRID = Grid((6, 6))
T = gaussian_mollifier(0.1)
PROCESS = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(1 / 6))
READS = point_values(
    Scattered(torch.rand(5, 2, generator=torch.Generator().manual_seed(0))), on=GRID
)
WIENER = wiener_inverse(T, noise_to_signal=0.1) * 1.01
GUIDES = [MomentMatching(3), PiGDM(), DPS(0.1)]


class Network(torch.nn.Module):
    """Something with parameters, that is not linear."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        weight = torch.randn(36, 36, generator=generator, dtype=torch.float64) / 12
        self.weight = torch.nn.Parameter((weight @ weight.mT).to(dtype))

    def forward(self, x: Function, t: torch.Tensor) -> Function:
        mixed = (self.weight @ x.values).tanh() * (1.0 - t.reshape(-1, 1, 1))
        return T(Function(x.on, mixed))


def network(dtype: torch.dtype = torch.float64):
    return as_denoiser(PROCESS, Network(dtype), predict=SignalPrediction(), clip=(-2.0, 2.0))


def seen(dtype: torch.dtype = torch.float64, batch: int = 2) -> Observation:
    return Observation(READS, 0.3 * values(4, batch, 5, 1).to(dtype), 0.2, WIENER)


def states(dtype: torch.dtype = torch.float64, batch: int = 2) -> tuple[Function, torch.Tensor]:
    t = torch.linspace(0.3, 0.8, batch, dtype=torch.float64)
    return Function(GRID, 0.5 * values(2, batch, 36, 1).to(dtype)), t


@pytest.mark.parametrize("guide", GUIDES, ids=repr)
def test_without_gradients_or_in_inference_mode_it_is_the_same(guide):
    (x_t, t), denoiser = states(), guided(guide, network(), seen())
    expected = denoiser(x_t, t)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            x, time = states()
            found = denoiser(x, time)
        torch.testing.assert_close(found.signal.values.clone(), expected.signal.values)
    assert not expected.signal.values.requires_grad


@pytest.mark.parametrize("guide", GUIDES, ids=repr)
def test_single_precision_agrees_with_double(guide):
    found = []
    for dtype in (torch.float32, torch.float64):
        x_t, t = states(dtype)
        prediction = guided(guide, network(dtype), seen(dtype))(x_t, t)
        assert prediction.signal.values.dtype == dtype
        found.append(prediction.signal.values.double())
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("guide", GUIDES, ids=repr)
def test_a_sample_does_not_depend_on_the_others(guide):
    x_t, t = states(batch=3)
    all_of_them, each = seen(batch=3), guided(guide, network(), seen(batch=3))(x_t, t)
    for i in range(3):
        alone = Observation(READS, all_of_them.values[i], 0.2, WIENER)
        found = guided(guide, network(), alone)(Function(GRID, x_t.values[i : i + 1]), t[i : i + 1])
        torch.testing.assert_close(found.signal.values[0], each.signal.values[i])


@pytest.mark.parametrize(
    "solver", [DDIM(), DDIM(1.0), Heun(), DPMSolverPP(), UniPC(), EulerMaruyama()], ids=repr
)
def test_every_solver_takes_them(solver):
    x = sample(
        solver,
        guided(MomentMatching(3), network(torch.float32), seen(torch.float32)),
        on=GRID,
        times=timesteps(4),
        batch=2,
        channels=1,
        generator=torch.Generator().manual_seed(0),
    )
    assert tuple(x.values.shape) == (2, 36, 1)


def test_guided_denoisers_are_denoisers_that_others_wrap():
    x_t, t = states()
    guide = guided(MomentMatching(3), network(), seen())
    found = classifier_free(guide, network(), strength=1.0)(x_t, t)
    torch.testing.assert_close(found.signal.values, guide(x_t, t).signal.values)


def test_the_network_s_own_clean_estimate_is_read():
    model = as_denoiser(PROCESS, Network(torch.float64), predict=CleanPrediction())
    x_t, t = states()
    plain = model(x_t, t)
    read = Observation(READS, seen().values, 0.2, WIENER, use_clean=True)
    found = guided(MomentMatching(5), model, read)(x_t, t)
    before = (seen().values - READS(plain.clean)).norm()
    after = (seen().values - READS(found.clean)).norm()
    assert after < before


def test_the_pipeline_s_network_can_be_guided():
    torch.manual_seed(0)
    model = InftyDiff(preset("tiny", resolution=8))
    on = model.grid(8)
    points = Scattered(torch.rand(4, 2, generator=torch.Generator().manual_seed(0)))
    reads = point_values(points, on=on)
    look = Observation(reads, torch.zeros(4, 3), 0.1, WIENER)
    denoiser = guided(MomentMatching(2), model.denoiser(), look)
    start = model.start(on=on, batch=2, generator=torch.Generator().manual_seed(0))
    found = denoiser(start, torch.tensor([0.4, 0.6], dtype=torch.float64))
    assert found.signal.values.isfinite().all()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_denoiser_without_gradients_is_refused():
    plain = network()

    def detached(x_t, t):
        with torch.no_grad():
            return plain(x_t, t)

    x_t, t = states()
    with pytest.raises(ValueError, match="Guidance differentiates the denoiser"):
        guided(PiGDM(), CallableDenoiser(PROCESS, detached), seen())(x_t, t)
