"""W₂ of a sampler's output to mixture data, by quadrature along the one nonlinear mode."""

import pytest
import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    WhiteNoise,
    gaussian_mollifier,
    sample,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import Point
from inftydiff.processes import Blurring
from inftydiff.processes.solvers import DDIM, DDPM, DPMSolverPP, EulerMaruyama, Heun, UniPC
from inftydiff.processes.times import timesteps
from inftydiff.testing._scalar_mixture import ScalarMixture
from inftydiff.testing.mixture_output import mixture_line, mixture_output_wasserstein
from inftydiff.testing.oracles import MixtureDenoiser
from inftydiff.testing.output_law import output_law, variance_gain

COSINE = CosineSchedule()
T = gaussian_mollifier(1 / 16)
MOLLIFIED = DiffusionProcess.mollified(COSINE, T, noise=WhiteNoise(1 / 8))
BLURRING = DiffusionProcess.blurring(COSINE, Blurring(0.1), noise=WhiteNoise(1 / 8))
GRID = Grid((8, 6))
COVARIANCE = (gaussian_mollifier(0.15), WhiteNoise(0.3))
SOLVERS = [DDIM(), DDPM(), EulerMaruyama(), Heun(), UniPC(3)]
G = torch.Generator()


def wave(kx: int, ky: int, channels: int = 1) -> Function:
    """An eigenmode of the square, in one channel or in several with different amplitudes."""
    x, y = GRID.points.unbind(-1)
    values = torch.cos(torch.pi * kx * x) * torch.cos(torch.pi * ky * y)
    return Function(GRID, values.unsqueeze(-1) * torch.linspace(1.0, -0.5, channels).double())


def log_snr(n: int) -> torch.Tensor:
    return timesteps(n, spacing="log_snr", schedule=COSINE)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("solver", "process"),
    [*((solver, MOLLIFIED) for solver in SOLVERS), (DDPM(), BLURRING), (UniPC(3), BLURRING)],
)
def test_a_mixture_of_one_law_is_the_gaussian(solver, process):
    law = GaussianMeasure(wave(1, 0, 2), *COVARIANCE)
    expected = output_law(solver, process, law, on=GRID, times=log_snr(6)).wasserstein_to_data()
    mixture = MixtureDenoiser(process, (0.4, 0.6), (law, law))
    found = mixture_output_wasserstein(solver, mixture, on=GRID, times=log_snr(6), generator=G)
    assert found == pytest.approx(expected.norm().item(), rel=1e-4)


def scalar(separation: float, weights: tuple[float, float] = (0.5, 0.5)) -> ScalarMixture:
    process = DiffusionProcess.white(COSINE, noise=WhiteNoise(0.5))
    means = torch.tensor([-separation, separation], dtype=torch.float64)
    return ScalarMixture(process, weights, means, 1.0)


def from_samples(mixture: ScalarMixture, solver, times, size: int = 40_000) -> float:
    """W₂ of sorted samples to the quantiles in their middle."""
    x = sample(
        solver,
        mixture.denoiser,
        on=Grid((), Point()),
        times=times,
        batch=size,
        channels=1,
        generator=torch.Generator().manual_seed(0),
    )
    levels = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    wanted = mixture.quantiles(torch.special.ndtri(levels), torch.zeros(1, dtype=torch.float64))
    return (x.values.double().flatten().sort().values - wanted).square().mean().sqrt().item()


@pytest.mark.thorough
@pytest.mark.parametrize("solver", [DDIM(), DDPM(), EulerMaruyama(), UniPC(3)], ids=str)
@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.2, 0.8)])
def test_quadrature_and_samples_agree(solver, weights):
    """Samples are off by about 0.02, five times the root of 2·3²/40000."""
    mixture = scalar(2.0, weights)
    found = mixture.output_wasserstein(solver, times=log_snr(6), generator=G)
    assert found == pytest.approx(from_samples(mixture, solver, log_snr(6)), abs=0.03)
    assert found > 0.06


@pytest.mark.thorough
def test_many_steps_with_noise_do_not_spread_the_density():
    """Each puts it on a new grid; the deviation of one component is known."""
    ratio = torch.tensor([100.0], dtype=torch.float64)
    process = DiffusionProcess.white(COSINE)
    one = ScalarMixture(process, (1.0,), torch.zeros(1, dtype=torch.float64), 100.0)
    gain = variance_gain(DDPM(), COSINE, ratio, times=log_snr(60))
    found = one.output_wasserstein(DDPM(), times=log_snr(60), generator=G)
    assert found == pytest.approx(10.0 * (1.0 - gain.sqrt().item()), rel=2e-3)


def test_a_rule_with_noise_and_memory_is_sampled():
    solver, mixture = DPMSolverPP(2, stochastic=True), scalar(2.0)
    found = mixture.output_wasserstein(
        solver, times=log_snr(6), generator=torch.Generator().manual_seed(1)
    )
    assert found == pytest.approx(from_samples(mixture, solver, log_snr(6)), abs=0.03)


@pytest.mark.thorough
@pytest.mark.parametrize("separation", [1.0, 3.0])
def test_with_many_steps_nothing_is_left(separation: float):
    coarse, fine = (
        scalar(separation).output_wasserstein(UniPC(3), times=log_snr(n), generator=G)
        for n in (12, 36)
    )
    assert fine < 0.2 * coarse
    assert fine < 3e-3 * separation


def test_a_map_that_does_not_increase_is_sorted(monkeypatch: pytest.MonkeyPatch):
    """These steps of UniPC fold the line over."""
    mixture, solver = scalar(3.0), UniPC(3)
    times = timesteps(12, spacing="karras", schedule=COSINE)
    found = mixture.output_wasserstein(solver, times=times, generator=G)
    assert found == pytest.approx(from_samples(mixture, solver, times), rel=0.02)
    monkeypatch.setattr("inftydiff.testing._scalar_mixture.QUANTILES", 5001)
    again = mixture.output_wasserstein(solver, times=times, generator=G)
    assert found == pytest.approx(again, rel=1e-3)


def test_the_line_is_the_mode_and_the_direction_in_which_the_means_differ():
    common = wave(0, 1, 2)
    parts = [GaussianMeasure(common + wave(2, 1, 2) * a, *COVARIANCE) for a in (1.0, -1.0, 0.5)]
    mixture = MixtureDenoiser(MOLLIFIED, (0.2, 0.3, 0.5), parts)
    line = mixture_line(mixture, GRID)
    assert line.mode == 2 * 6 + 1
    direction = torch.tensor([1.0, -0.5], dtype=torch.float64)
    torch.testing.assert_close(line.direction.abs(), (direction / direction.norm()).abs())
    amplitude = T(wave(2, 1, 2)).norm() * torch.tensor([1.0, -1.0, 0.5], dtype=torch.float64)
    sign = 1.0 if line.problem.means[0] > 0.0 else -1.0
    torch.testing.assert_close(line.problem.means * sign, amplitude)
    assert eigenbasis(GRID.domain).dim == 2


def test_the_square_is_the_sum_over_the_modes_and_the_line():
    parts = [GaussianMeasure(wave(1, 0) * a, *COVARIANCE) for a in (1.0, -1.0)]
    mixture = MixtureDenoiser(MOLLIFIED, (0.5, 0.5), parts)
    found = mixture_output_wasserstein(DDPM(), mixture, on=GRID, times=log_snr(5), generator=G)
    line = mixture_line(mixture, GRID)
    along = line.problem.output_wasserstein(DDPM(), times=log_snr(5), generator=G)
    centred = GaussianMeasure(None, *COVARIANCE)
    law = output_law(DDPM(), MOLLIFIED, centred, on=GRID, times=log_snr(5))
    squares = (law.variances.sqrt() - law.data_variances.sqrt()).square().flatten()
    squares[line.mode] = along**2
    assert found == pytest.approx(squares.sum().sqrt().item(), rel=1e-9)


def test_mixtures_of_another_kind_are_refused():
    law = GaussianMeasure(wave(1, 0), *COVARIANCE)
    wider = GaussianMeasure(wave(1, 0), 2.0 * COVARIANCE[0], COVARIANCE[1])
    other = GaussianMeasure(wave(1, 0) + wave(0, 2), *COVARIANCE)
    third = GaussianMeasure(wave(2, 0), *COVARIANCE)
    for parts, message in (
        ((law, wider), "components of one covariance"),
        ((law, other, third), "one eigenmode of the grid"),
    ):
        mixture = MixtureDenoiser(MOLLIFIED, (1.0 / len(parts),) * len(parts), parts)
        with pytest.raises(ValueError, match=message):
            mixture_line(mixture, GRID)
