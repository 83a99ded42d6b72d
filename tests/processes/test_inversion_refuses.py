"""What cannot be inverted is refused: solvers with noise or memory, times that do not decrease."""

import math

import jaxtyping
import pytest
import torch

from inftydiff import (
    DDIM,
    DDPM,
    CosineSchedule,
    DDIMInversion,
    DiffusionProcess,
    DPMSolverPP,
    FixedPointInversion,
    Function,
    Grid,
    HeunInversion,
    Prediction,
    UniPC,
    invert,
    timesteps,
)
from inftydiff.processes import CallableDenoiser

PROCESS = DiffusionProcess.white(CosineSchedule())
X = Function(Grid((3,)), torch.ones(1, 3, 1))


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def half(x_t: Function, t: torch.Tensor) -> Prediction:
    return Prediction(x_t * 0.5, x_t * 0.5)


@pytest.mark.parametrize("solver", [DDIM(0.5), DDPM(), UniPC(), DPMSolverPP(2)])
def test_rules_with_noise_or_memory(solver):
    with pytest.raises(ValueError, match=r"take DDIM\(\) or Heun\(\)"):
        FixedPointInversion(solver)


@pytest.mark.parametrize("changes", [{"tolerance": 0.0}, {"iterations": 0}])
def test_settings_of_the_fixed_point(changes):
    with pytest.raises(ValueError, match="must be a"):
        FixedPointInversion(**changes)


@pytest.mark.parametrize("times", [[0.0, 0.5, 1.0], [0.5], [1.0, 0.5, 0.5], [1.5, 0.5]])
def test_times(times):
    with pytest.raises(ValueError, match=r"decreasing times|lie in \[0, 1\]"):
        invert(DDIMInversion(), CallableDenoiser(PROCESS, half), X, times=torch.tensor(times))


@pytest.mark.parametrize("inversion", [DDIMInversion(), HeunInversion(), FixedPointInversion()])
def test_steps_that_go_down(inversion):
    s, t = torch.tensor([0.5]), torch.tensor([0.4])
    with pytest.raises(ValueError, match="s < t"):
        inversion.inversion_step(CallableDenoiser(PROCESS, half), X, s, t)


@pytest.mark.parametrize("inversion", [DDIMInversion(), HeunInversion(), FixedPointInversion()])
def test_encodings_that_are_not_finite(inversion):
    def broken(x_t: Function, t: torch.Tensor) -> Prediction:
        return Prediction(x_t * math.nan, x_t * math.nan)

    with pytest.raises(ValueError, match="Encodings must be finite"):
        invert(inversion, CallableDenoiser(PROCESS, broken), X, times=timesteps(3))
