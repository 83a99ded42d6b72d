"""A likelihood that does not exist, or that rounding would spoil, is refused with what to do."""

import sys

import pytest
import torch

from inftydiff import (
    Box,
    DiffusionProcess,
    Function,
    Grid,
    Identity,
    Prediction,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.covariance import bessel
from inftydiff.operators.local import LocalOperator
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.processes import Blurring, CallableDenoiser, NoDensity, log_likelihood
from inftydiff.processes.spectra import ComputedMultiplier
from inftydiff.testing.strategies import KnotSchedule

GRID = Grid((8,))
SCHEDULE = KnotSchedule((1.0, 0.5, 0.1))
WHITE = DiffusionProcess.white(SCHEDULE)
T = gaussian_mollifier(1 / 16)


def shrink(x: Function, t: torch.Tensor) -> Prediction:
    return Prediction(x * 0.5, x * 0.5)


def states(values: torch.Tensor | None = None) -> Function:
    return Function(GRID, torch.ones(2, 8, 1, dtype=torch.float64) if values is None else values)


def likelihood(process=WHITE, denoiser=shrink, x=None, **options) -> torch.Tensor:
    options = {"time": 0.5, "rtol": 0.1, "atol": 0.1} | options
    denoiser = CallableDenoiser(process, denoiser)
    return log_likelihood(denoiser, states() if x is None else x, **options)


def test_time_zero_has_no_density():
    with pytest.raises(NoDensity, match="At t = 0 .* Take a time above 0"):
        likelihood(time=0)


@pytest.mark.parametrize("time", [-0.1, 1.0, 2.0, float("nan")])
def test_times_outside(time: float):
    with pytest.raises(ValueError, match=r"lies in \(0, 1\)|must be a finite number"):
        likelihood(time=time)


SMOOTHER_NOISE = {
    "noise-only": DiffusionProcess.noise_only(SCHEDULE, T),
    "coloured": DiffusionProcess.noise_only(SCHEDULE, bessel(1.0, 0.1)),
    "less smooth signal": DiffusionProcess(
        SCHEDULE, signal=bessel(1.0), noise_factor=bessel(2.0), noise=WhiteNoise()
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", SMOOTHER_NOISE)
def test_noise_smoother_than_the_signal(name: str):
    process = SMOOTHER_NOISE[name]
    with pytest.raises(NoDensity, match="N⁻¹S is unbounded.*smooth_data=True"):
        likelihood(process)
    assert likelihood(process, smooth_data=True).isfinite().all()


def test_signals_smoother_than_the_noise_are_taken():
    for signal in (T, bessel(1.0)):
        process = DiffusionProcess(
            SCHEDULE, signal=signal, noise_factor=bessel(1.0, 0.1), noise=WhiteNoise()
        )
        assert likelihood(process).isfinite().all()


def test_operators_of_unknown_decay():
    unknown = SpectralOperator(ComputedMultiplier(torch.ones_like, 1.0))
    process = DiffusionProcess(
        SCHEDULE, signal=unknown, noise_factor=Identity(), noise=WhiteNoise()
    )
    with pytest.raises(NoDensity, match="not known how fast"):
        likelihood(process)
    assert likelihood(process, smooth_data=True).isfinite().all()


def test_signal_operators_that_change_with_time():
    with pytest.raises(ValueError, match="does not change with time; got Blurring"):
        likelihood(DiffusionProcess.blurring(SCHEDULE, Blurring(0.1)))


def test_operators_that_are_not_spectral():
    local = LocalOperator(torch.ones(1, 3), 0.1)
    process = DiffusionProcess(SCHEDULE, signal=local, noise_factor=T, noise=WhiteNoise())
    with pytest.raises(TypeError):
        likelihood(process)


def test_states_off_a_full_grid():
    some = torch.ones(2, 3, 1, dtype=torch.float64)
    for on in (Subset(GRID, torch.tensor([0, 3, 5])), Scattered(torch.rand(3, 1))):
        with pytest.raises(ValueError, match="full Grid.*integral over the others"):
            likelihood(x=Function(on, some))
    with pytest.raises(ValueError, match=r"\(batch, points, channels\)"):
        likelihood(x=states(torch.ones(8, 1)))


def test_values_that_are_not_finite():
    values = torch.ones(2, 8, 1)
    values[0, 3] = torch.nan
    with pytest.raises(ValueError, match="States must be finite"):
        likelihood(x=states(values))
    with pytest.raises(ValueError, match="denoiser's signal must be finite"):
        likelihood(denoiser=lambda x, t: Prediction(x * float("nan"), x))


@pytest.mark.thorough
@pytest.mark.parametrize(("dtype", "width"), [(torch.float64, 0.3), (torch.float32, 0.22)])
def test_noise_lost_to_rounding(dtype: torch.dtype, width: float):
    process = DiffusionProcess.mollified(SCHEDULE, gaussian_mollifier(width))
    x = states(torch.ones(2, 8, 1, dtype=dtype))
    with pytest.raises(ValueError, match=f"cannot be inverted on Grid.*{dtype}") as refusal:
        likelihood(process, x=x)
    cutoff = float(str(refusal.value).split("cutoff=")[1].split(",")[0])
    assert likelihood(process, x=x, cutoff=cutoff).isfinite().all()
    side = float(str(refusal.value).split("at least ")[1].split(",")[0])
    coarse = Grid((int(1 / side),))
    x = Function(coarse, torch.ones(1, coarse.size, 1, dtype=dtype))
    assert likelihood(process, x=x).isfinite().all()


def test_cut_offs_that_leave_nothing():
    with pytest.raises(ValueError, match="spectral cut-off must be a finite number above 0"):
        likelihood(cutoff=-1.0)
    absorbing = Function(Grid((4,), Box((1.0,), boundary="absorbing")), torch.ones(1, 4, 1))
    with pytest.raises(ValueError, match="No mode of the grid"):
        likelihood(x=absorbing, cutoff=1.0)


def test_probes_and_generators_come_together():
    with pytest.raises(ValueError, match="pass both, or neither"):
        likelihood(probes=3)
    with pytest.raises(ValueError, match="pass both, or neither"):
        likelihood(generator=torch.Generator())
    with pytest.raises(ValueError, match="number of probes must be a whole number"):
        likelihood(probes=0, generator=torch.Generator())


def test_tolerances():
    with pytest.raises(ValueError, match="relative tolerance must be"):
        likelihood(rtol=0.0)
    with pytest.raises(ValueError, match="absolute tolerance must be"):
        likelihood(atol=-1.0)


def test_denoisers_without_a_gradient():
    def frozen(x: Function, t: torch.Tensor) -> Prediction:
        with torch.no_grad():
            return shrink(x, t)

    def detached(x: Function, t: torch.Tensor) -> Prediction:
        weight = torch.ones((), dtype=torch.float64, requires_grad=True)
        return shrink(Function(x.on, x.values.detach() * weight), t)

    for denoiser in (frozen, detached):
        with pytest.raises(ValueError, match="no gradient by the state"):
            likelihood(denoiser=denoiser)


def test_denoisers_that_answer_elsewhere():
    with pytest.raises(ValueError, match="different discretisations"):
        likelihood(denoiser=lambda x, t: shrink(Function(Grid((4,)), x.values[:, :4]), t))


def test_schedules_that_are_flat_to_the_end():
    flat = DiffusionProcess.white(KnotSchedule((1.0, 0.5, 0.5), (0.0, 1.0, 1.0)))
    with pytest.raises(ValueError, match="as large at t = 0.8 as at 1"):
        likelihood(flat, time=0.8)


def test_a_missing_torchdiffeq(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "inftydiff\[solvers\]"'):
        likelihood()
