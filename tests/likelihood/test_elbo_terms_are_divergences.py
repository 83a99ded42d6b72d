r"""Each term of the bound is the divergence of two Gaussians, with the corrected weights.

The states that the bound draws are drawn again here from the same generator, and the posteriors of
process and model are compared by their closed form.
"""

import pytest
import torch
from likelihoods import ratios, snr
from torch.testing import assert_close

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    LinearSchedule,
    Prediction,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import CallableDenoiser, elbo, evidence_bound, kl_divergence
from inftydiff.testing import matrix_of
from inftydiff.testing.strategies import KnotSchedule

GRID = Grid((4, 3), Box((1.0, 0.8), boundary=("reflecting", "periodic")))
T = gaussian_mollifier(0.2)
TIMES = torch.tensor([0.9, 0.6, 0.55, 0.2], dtype=torch.float64)
NOISE = WhiteNoise(0.3)
SCHEDULE = KnotSchedule((1.0, 0.7, 0.1), (0.0, 0.5, 2.0))
PROCESSES = {
    "white": DiffusionProcess.white(CosineSchedule(), noise=NOISE),
    "mollified": DiffusionProcess.mollified(LinearSchedule(), T, noise=NOISE),
    "smoother": DiffusionProcess(SCHEDULE, signal=T @ T, noise_factor=T, noise=NOISE),
    "noise-only": DiffusionProcess.noise_only(SCHEDULE, T, noise=NOISE),
}


def values(seed: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, GRID.size, 3, generator=g, dtype=torch.float64)


def at(time: torch.Tensor) -> torch.Tensor:
    return time.expand(2)


def guess(x: Function, t: torch.Tensor) -> Function:
    """A clean function that depends on the state and the time."""
    return x * (0.3 + t) + Function(GRID, values(7))


def clean(process: DiffusionProcess):
    def denoiser(x: Function, t: torch.Tensor) -> Prediction:
        x0 = guess(x, t)
        return Prediction(process.signal(x0) * 7.0, x, x0)  # the signal is not looked at

    return CallableDenoiser(process, denoiser)


def signal(process: DiffusionProcess):
    def denoiser(x: Function, t: torch.Tensor) -> Prediction:
        return Prediction(process.signal(guess(x, t)), x)

    return CallableDenoiser(process, denoiser)


def states(process: DiffusionProcess, x0: Function) -> list[Function]:
    """The states at all times but the last, as the bound draws them."""
    g = torch.Generator().manual_seed(3)
    return [
        process.marginal(x0, at(t)).mean
        + process.draw_noise(GRID, batch=2, channels=3, generator=g, dtype=torch.float64)
        * process.schedule.sigma(t).item()
        for t in TIMES[:-1]
    ]


@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize("kind", [clean, signal])
def test_every_term_is_a_divergence(name: str, kind):
    process, x0 = PROCESSES[name], Function(GRID, values(1))
    options = {"times": TIMES, "smooth_data": name == "noise-only"}
    g = torch.Generator().manual_seed(3)
    bound = evidence_bound(kind(process), x0, generator=g, **options)
    for i, x_t in enumerate(states(process, x0)):
        t, s = at(TIMES[i]), at(TIMES[i + 1])
        right = process.posterior(x_t, x0, t, s)
        model = process.posterior(x_t, guess(x_t, t), t, s)
        assert_close(bound.diffusion[i], kl_divergence(right, model, on=GRID), rtol=1e-6, atol=1e-9)
    first, last = at(TIMES[0]), at(TIMES[-1])
    for time, found in ((first, bound.prior), (last, bound.signal)):
        conditional = process.marginal(x0, time)
        noise = GaussianMeasure(None, conditional.factor, process.noise)
        assert_close(found, kl_divergence(conditional, noise, on=GRID), rtol=1e-6, atol=1e-9)
    divergence = bound.prior + bound.diffusion[0] + bound.diffusion[1] + bound.diffusion[2]
    assert_close(bound.divergence, divergence)
    assert_close(bound.total, bound.signal - divergence)
    again = torch.Generator().manual_seed(3)
    assert_close(elbo(kind(process), x0, generator=again, **options), bound.total)


@pytest.mark.parametrize("schedule", [CosineSchedule(), LinearSchedule()])
def test_the_weights_are_those_of_equations_39_and_45_corrected(schedule):
    process = DiffusionProcess.mollified(schedule, T, noise=NOISE)
    matrix = matrix_of(T, GRID)[0]
    covariance = GaussianMeasure(None, T, NOISE).covariance(GRID)
    x0, index = Function(GRID, values(1)), 400
    times = torch.tensor([index / 1000, (index - 1) / 1000], dtype=torch.float64)
    alpha_bar, before = schedule.alpha(times) ** 2
    alpha = alpha_bar / before
    beta = 1 - alpha
    beta_tilde = (1 - before) / (1 - alpha_bar) * beta

    def norm(f: torch.Tensor) -> torch.Tensor:
        """The norm of T⁻¹f under noise of the process's intensity, one a sample."""
        return (f * torch.linalg.solve(covariance, f)).sum((-2, -1))

    g = torch.Generator().manual_seed(3)
    xi = process.draw_noise(GRID, batch=2, channels=3, generator=g, dtype=torch.float64)
    x_t = process.signal(x0) * alpha_bar.sqrt() + xi * (1 - alpha_bar).sqrt()
    f = guess(x_t, at(times[0]))
    g = torch.Generator().manual_seed(3)
    bound = evidence_bound(clean(process), x0, times=times, generator=g)
    weight = before * beta**2 / (2 * beta_tilde * (1 - alpha_bar) ** 2)
    error = norm(matrix @ (x0 - f).values)
    assert_close(bound.diffusion[0], weight * error, rtol=1e-6, atol=0)

    def noise(x: Function, t: torch.Tensor) -> Prediction:
        said = x * 0.1
        return Prediction(
            (x - said * (1 - alpha_bar).sqrt().item()) * (1 / alpha_bar.sqrt().item()), said
        )

    g = torch.Generator().manual_seed(3)
    bound = evidence_bound(CallableDenoiser(process, noise), x0, times=times, generator=g)
    weight = beta**2 / (2 * beta_tilde * alpha * (1 - alpha_bar))
    error = norm((x_t * 0.1 - xi).values)
    assert_close(bound.diffusion[0], weight * error, rtol=1e-6, atol=0)


def test_a_clean_prediction_needs_no_inverse():
    """Equation (39): where S = N, the error has the norm of functions, over the intensity."""
    wide = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.7), noise=NOISE)
    x0 = Function(GRID, values(1))
    g = torch.Generator().manual_seed(3)
    bound = evidence_bound(clean(wide), x0, times=TIMES, generator=g)
    assert_close(bound.signal, 0.5 * snr(wide, 0.2) * (x0.norm() / NOISE.intensity) ** 2)
    for i, x in enumerate(states(wide, x0)):
        weight = 0.5 * (snr(wide, TIMES[i + 1].item()) - snr(wide, TIMES[i].item()))
        error = (x0 - guess(x, at(TIMES[i]))).norm() / NOISE.intensity
        assert_close(bound.diffusion[i], weight * error**2)
    with pytest.raises(ValueError, match="cannot be inverted"):
        evidence_bound(signal(wide), x0, times=TIMES, generator=g)


def test_a_cut_off_counts_the_modes_below_it():
    process, cutoff = PROCESSES["white"], 5.0
    kept = eigenbasis(GRID.domain).eigenvalues(GRID.shape).sqrt() <= cutoff
    assert 1 < int(kept.sum()) < GRID.size
    x0 = Function(GRID, values(1))
    seen = []

    def low(f: Function) -> torch.Tensor:
        modes = eigenbasis(GRID.domain).analysis(f.to_image()) * GRID.cell_volume**0.5
        return torch.where(kept, modes, 0.0)

    def denoiser(x: Function, t: torch.Tensor) -> Prediction:
        seen.append(x)
        return signal(process)(x, t)

    g = torch.Generator().manual_seed(3)
    bound = evidence_bound(
        CallableDenoiser(process, denoiser), x0, times=TIMES, cutoff=cutoff, generator=g
    )
    assert_close(
        bound.signal,
        0.5 * snr(process, 0.2) * low(x0).square().flatten(1).sum(-1) / NOISE.intensity**2,
    )
    for i, (x, full) in enumerate(zip(seen, states(process, x0), strict=True)):
        assert_close(low(x), low(full))
        assert_close(low(x).square().sum(), (x.norm() ** 2).sum())
        weight = 0.5 * (snr(process, TIMES[i + 1].item()) - snr(process, TIMES[i].item()))
        error = low(x0 - guess(x, at(TIMES[i]))).square().flatten(1).sum(-1)
        assert_close(bound.diffusion[i], weight * error / NOISE.intensity**2)


def test_the_denoiser_is_called_once_at_each_time_but_the_last():
    process, asked = PROCESSES["white"], []

    def denoiser(x: Function, t: torch.Tensor) -> Prediction:
        assert not torch.is_grad_enabled()
        asked.append(t)
        return signal(process)(x, t)

    g = torch.Generator().manual_seed(3)
    evidence_bound(
        CallableDenoiser(process, denoiser), Function(GRID, values(1)), times=TIMES, generator=g
    )
    assert_close(torch.stack(asked), TIMES[:-1].unsqueeze(1).expand(3, 2))


def test_ratios_of_the_helper_are_squared_gains():
    """What the other tests take for P/V is the square of the factor of N⁻¹S, times the data's."""
    data = GaussianMeasure(None, T, WhiteNoise(2.0))
    rho = ratios(PROCESSES["white"], data, GRID)
    assert_close(rho, data.mode_variances(GRID) / NOISE.intensity**2)
