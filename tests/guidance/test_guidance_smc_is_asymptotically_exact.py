"""The weighted particles of twisted Monte Carlo converge to the exact conditional law.

The law is that of the unguided sampler's output given the observation: known for Gaussian data,
where the output is Gaussian with known variances. On a mixture, where nothing is Gaussian, the true
function's rank among the particles is uniform.
"""

import pytest
import torch
from functions import seeds
from hypothesis import given, settings
from scipy import stats

from inftydiff import (
    DDPM,
    DPS,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    MomentMatching,
    Observation,
    PiGDM,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
    observe,
    point_values,
    timesteps,
    twisted_smc,
)
from inftydiff.operators import Functionals
from inftydiff.processes.guidance.twisted import effective_size, systematic
from inftydiff.testing import GaussianDenoiser, MixtureDenoiser, output_law
from inftydiff.testing.dense import modes_of
from inftydiff.testing.posterior import PointwiseLaw, functionals_matrix

PROCESS = DiffusionProcess.noise_only(
    CosineSchedule(), gaussian_mollifier(1 / 16), noise=WhiteNoise(1 / 4)
)
DATA = GaussianMeasure(None, gaussian_mollifier(0.15), WhiteNoise(0.8))
POINTS = Scattered(torch.tensor([[0.1], [0.45], [0.8]], dtype=torch.float64))
VALUES = torch.tensor([[1.0], [-0.5], [0.7]], dtype=torch.float64)
NOISE = 0.2
STEPS = 15


def log_snr(n: int) -> torch.Tensor:
    return timesteps(n, spacing="log_snr", schedule=PROCESS.schedule)


def seen(side: int, copies: int = 1) -> Observation:
    values = VALUES.expand(copies, -1, -1)
    return Observation(point_values(POINTS, on=Grid((side,))), values, NOISE)


def particles(side: int, count: int, guide, *, copies: int = 1):
    return twisted_smc(
        GaussianDenoiser(PROCESS, DATA),
        seen(side, copies),
        on=Grid((side,)),
        times=log_snr(STEPS),
        particles=count,
        channels=1,
        generator=torch.Generator().manual_seed(0),
        guide=guide,
    )


def truth(side: int) -> PointwiseLaw:
    """The law of ancestral sampling's output, conditioned."""
    grid, reads = Grid((side,)), seen(side).reads
    assert isinstance(reads, Functionals)
    law = output_law(DDPM(), PROCESS, DATA, on=grid, times=log_snr(STEPS))
    modes, matrix = modes_of(grid), functionals_matrix(reads)
    prior = modes @ torch.diag(law.variances) @ modes.mT / grid.cell_volume
    total = matrix @ prior @ matrix.mT + NOISE**2 * torch.eye(3, dtype=torch.float64)
    gain = torch.linalg.solve(total, matrix @ prior).mT
    variance = (prior - gain @ matrix @ prior).diagonal()
    return PointwiseLaw((gain @ VALUES).flatten(), variance)


def errors(result, exact: PointwiseLaw) -> tuple[torch.Tensor, torch.Tensor]:
    """The relative errors of mean and variance of each copy."""
    mean, variance = (f.values.squeeze(-1) for f in (result.mean, result.variance))
    norm = exact.mean.norm()
    return (mean - exact.mean) / norm, (variance - exact.variance) / exact.variance.norm()


@pytest.mark.thorough
@pytest.mark.parametrize("guide", [MomentMatching(), PiGDM(), DPS(0.3)], ids=repr)
def test_particles_converge_to_the_conditional_law(guide):
    """Errors fall with the number, and nothing is left that all copies have in common.

    They fall like its root if the guide is good; a poor one has weights of heavy tails.
    """
    exact, copies, rms = truth(8), 20, []
    for count in (100, 2500):
        found = errors(particles(8, count, guide, copies=copies), exact)
        rms.append(torch.stack([error.norm(dim=-1).square().mean().sqrt() for error in found]))
    assert (rms[1] < 0.6 * rms[0]).all()
    for error, spread in zip(found, rms[1], strict=True):
        assert error.mean(0).norm() < 5.0 * spread / copies**0.5


@pytest.mark.thorough
def test_it_is_the_same_on_every_grid():
    runs = [particles(side, 200, MomentMatching(), copies=20) for side in (8, 24)]
    torch.testing.assert_close(*(run.sizes.mean() for run in runs), rtol=0.1, atol=0.0)
    sizes = [
        errors(run, truth(side))[0].norm(dim=-1).mean()
        for run, side in zip(runs, (8, 24), strict=True)
    ]
    torch.testing.assert_close(*sizes, rtol=0.3, atol=0.0)


def test_the_better_guide_needs_fewer_particles():
    sizes = [particles(8, 1000, guide).sizes.min() for guide in (MomentMatching(), PiGDM())]
    assert sizes[0] > sizes[1]


def mixture() -> tuple[Grid, MixtureDenoiser]:
    grid = Grid((8,))
    wave = Function(grid, torch.cos(torch.pi * grid.points))
    parts = [
        GaussianMeasure(wave * sign, gaussian_mollifier(0.15), WhiteNoise(0.3))
        for sign in (0.8, -0.8)
    ]
    return grid, MixtureDenoiser(PROCESS, (0.35, 0.65), parts)


@pytest.mark.thorough
def test_ranks_on_a_mixture_are_uniform():
    grid, oracle = mixture()
    generator = torch.Generator().manual_seed(4)
    count, batch = 80, 200
    x0 = oracle.sample_data(grid, batch=batch, channels=1, generator=generator)
    x0 = Function(grid, x0.values.double())
    look = Scattered(torch.tensor([[0.4], [0.7]], dtype=torch.float64))
    observation = observe(point_values(look, on=grid), x0, noise_std=0.4, generator=generator)
    result = twisted_smc(
        oracle,
        observation,
        on=grid,
        times=log_snr(40),
        particles=count,
        channels=1,
        generator=generator,
    )
    weights = result.log_weights.exp()
    for reads in (lambda v: v[..., 0, 0], lambda v: v.mean((-2, -1)), lambda v: v[..., -1, 0]):
        below = reads(result.x.values) < reads(x0.values).unsqueeze(-1)
        ranks = (weights * below).sum(-1)
        assert stats.kstest(ranks.numpy(), "uniform").pvalue > 0.01


@settings(max_examples=10)
@given(seed=seeds)
def test_systematic_resampling_takes_each_about_as_often_as_it_weighs(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 2.0 * torch.randn(3, 20, generator=generator, dtype=torch.float64)
    log_weights = logits.log_softmax(-1)
    chosen = systematic(log_weights, 50, generator)
    counts = torch.nn.functional.one_hot(chosen, 20).sum(1)
    assert ((counts - 50 * log_weights.exp()).abs() < 1.0 + 1e-9).all()
    sizes = effective_size(log_weights)
    assert ((sizes >= 1.0) & (sizes <= 20.0)).all()


def test_several_observations_are_several_posteriors():
    both = Observation(seen(8).reads, torch.stack([VALUES, -VALUES]), NOISE)
    result = twisted_smc(
        GaussianDenoiser(PROCESS, DATA),
        both,
        on=Grid((8,)),
        times=log_snr(STEPS),
        particles=2000,
        channels=1,
        generator=torch.Generator().manual_seed(0),
    )
    assert tuple(result.x.values.shape) == (2, 2000, 8, 1)
    exact = truth(8).mean
    for i, sign in enumerate((1.0, -1.0)):
        mean = result.mean.values[i].flatten()
        assert (mean - sign * exact).norm() < 0.15 * exact.norm()
    torch.testing.assert_close(result.log_weights.exp().sum(-1), torch.ones(2).double())
    drawn = result.drawn(count=500, generator=torch.Generator().manual_seed(1))
    assert tuple(drawn.values.shape) == (2, 500, 8, 1)
    spread = (drawn.values.mean(1) - result.mean.values).norm()
    assert spread < 0.1 * result.mean.values.norm()
    assert bool((result.effective_size <= 2000.0).all())


def test_bad_input_is_refused():
    def run(**changes):
        arguments = {
            "on": Grid((8,)),
            "times": log_snr(3),
            "particles": 4,
            "channels": 1,
            "generator": torch.Generator(),
        } | changes
        look = changes.pop("observation", seen(8))
        arguments.pop("observation", None)
        return twisted_smc(GaussianDenoiser(PROCESS, DATA), look, **arguments)

    with pytest.raises(ValueError, match="needs an observation with errors"):
        run(observation=Observation(seen(8).reads, VALUES))
    with pytest.raises(ValueError, match="end at 0"):
        run(times=torch.tensor([1.0, 0.5]))
    with pytest.raises(ValueError, match="threshold must be a number in"):
        run(threshold=2.0)
    with pytest.raises(ValueError, match="number of particles"):
        run(particles=0)
