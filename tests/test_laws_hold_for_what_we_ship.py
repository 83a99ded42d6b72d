"""Everything that we ship, from operators to samplers and networks, keeps the laws of its kind."""

import pytest
import torch
from networks import network

from inftydiff import (
    DDIM,
    DDPM,
    Box,
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    LinearSchedule,
    NoisePrediction,
    Scattered,
    SignalPrediction,
    Subset,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    gaussian_mollifier,
    wiener_inverse,
)
from inftydiff.operators.local import LocalOperator
from inftydiff.operators.transfer import Average, Interpolation, NearestNeighbours
from inftydiff.testing import GaussianDenoiser, laws_for
from inftydiff.testing.strategies import KnotSchedule

T = gaussian_mollifier(0.1)
NOISE = WhiteNoise(0.3)
OBLONG = Box((1.0, 1.5))
GRID = Grid((6, 5), OBLONG)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SUBSET = Subset(GRID, normal(GRID.size).argsort()[:17])
SUBSETS = Subset(GRID, normal(3, GRID.size).argsort(-1)[:, :17])
SCATTERED = Scattered(torch.rand(11, 2, generator=torch.Generator().manual_seed(0)), domain=OBLONG)
COSINE = CosineSchedule()
MOLLIFIED = DiffusionProcess.mollified(COSINE, T, noise=NOISE)
PROCESSES = {
    "white": DiffusionProcess.white(LinearSchedule(), noise=NOISE),
    "mollified": MOLLIFIED,
    "noise only": DiffusionProcess.noise_only(COSINE, T, noise=NOISE),
    "not variance preserving": DiffusionProcess(
        KnotSchedule((1.0, 0.7, 0.2), (0.0, 0.4, 3.0)),
        signal=gaussian_mollifier(0.2),
        noise_factor=T + 0.5 * Identity(),
        noise=NOISE,
    ),
}
FIELD = NOISE.draw(OBLONG, batch=2, channels=2, generator=torch.Generator().manual_seed(0))
KERNEL = normal(3, 3, 3)
SUBJECTS = {
    "identity": (Identity(), {}),
    "mollifier": (T, {}),
    "mollifier on an oblong": (T, {"on": GRID}),
    "mollifier in one dimension": (T, {"on": Grid((9,), Box((2.0,)))}),
    "mollifier in three dimensions": (T, {"on": Grid((3, 2, 4)), "channels": 1}),
    "Wiener filter": (wiener_inverse(T), {}),
    "sum": (2.0 * T - Identity(), {}),
    "composition": (wiener_inverse(T) @ T, {}),
    "one factor a sample": (T * torch.tensor([0.5, -2.0], dtype=torch.float64), {}),
    "interpolation": (Interpolation(GRID, Grid((4, 7), OBLONG)), {"on": GRID}),
    "interpolation at points": (Interpolation(GRID, SCATTERED), {"on": GRID}),
    "average": (Average(SUBSET, Grid((3, 3), OBLONG), width=0.3), {"on": SUBSET}),
    "average of each sample": (Average(SUBSETS, Grid((3, 3), OBLONG), width=0.3), {"on": SUBSETS}),
    "nearest neighbours": (NearestNeighbours(SUBSET, Grid((3, 3), OBLONG)), {"on": SUBSET}),
    "local operator": (LocalOperator(KERNEL, 0.2), {"on": GRID}),
    "local operator on a subset": (LocalOperator(KERNEL, 0.2), {"on": SUBSET}),
    "local operator on subsets": (LocalOperator(KERNEL, 0.2), {"on": SUBSETS}),
    "local operator on scattered points": (LocalOperator(KERNEL, 0.2), {"on": SCATTERED}),
    "white noise": (WhiteNoise(0.3), {}),
    "white noise on an oblong": (WhiteNoise(0.3), {"on": Grid((3, 4), OBLONG)}),
    "white field": (FIELD, {}),
    "mollified field": (T(FIELD), {}),
    "field with a factor a sample": (T(FIELD) * torch.tensor([0.5, -2.0]), {}),
    "prior": (MOLLIFIED.prior, {}),
    "white measure": (GaussianMeasure(None, Identity(), NOISE), {}),
    "marginal": (
        MOLLIFIED.marginal(Function(Grid((4, 3)), normal(2, 12, 2)), torch.tensor([0.3, 0.9])),
        {},
    ),
    "cosine schedule": (CosineSchedule(), {}),
    "linear schedule": (LinearSchedule(), {}),
    "schedule of knots": (KnotSchedule((1.0, 0.5, 0.1)), {}),
    **{f"{name} diffusion": (process, {}) for name, process in PROCESSES.items()},
    "mollified diffusion on an oblong": (MOLLIFIED, {"on": Grid((3, 4), OBLONG)}),
    "noise prediction": (NoisePrediction(), {}),
    "signal prediction": (SignalPrediction(), {}),
    "clean prediction": (CleanPrediction(), {}),
    "velocity prediction": (VelocityPrediction(), {}),
    "DDPM": (DDPM(), {}),
    "DDPM with the transition's variance": (DDPM("transition"), {}),
    "DDIM": (DDIM(), {}),
    "DDIM with noise": (DDIM(0.5), {}),
    "DDIM with eta 1": (DDIM(1.0), {}),
    "exact denoiser": (
        GaussianDenoiser(MOLLIFIED, GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise())),
        {"dtype": torch.float64},
    ),
    "multiscale network": (network(), {"dtype": torch.float64}),
    "multiscale network in float32": (network().float(), {}),
    "a network's denoiser": (
        as_denoiser(MOLLIFIED, network(), predict=VelocityPrediction(), clip=(-1.0, 1.0)),
        {"dtype": torch.float64},
    ),
}
LAWS = {
    f"{name}: {law.__name__}": law
    for name, (subject, options) in SUBJECTS.items()
    for law in laws_for(subject, **options)
}


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_the_law_holds(law):
    law()
